import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeClock } from '#daemon/clock.ts'
import { createProgress, renderPhases } from '#lab/progress.ts'

const recorder = (isTTY: boolean) => {
  const written: string[] = []
  return { written, isTTY, columns: 40, write: (text: string) => written.push(text) }
}

test('away from a terminal: a line for each step that is done', async () => {
  const output = recorder(false)
  const clock = fakeClock(0)
  const progress = createProgress(output, clock)
  const slow = progress.step('nodes', () => clock.sleep(1500))
  await progress.step('network', () => clock.advance(40))
  progress.say('hello')
  await clock.advance(2000)
  await slow
  await assert.rejects(
    progress.step('broken', () => Promise.reject(new Error('no'))),
    /no/,
  )
  progress.end()
  assert.deepEqual(output.written, ['network: 0.040 s\n', 'hello\n', 'nodes: 1.5 s\n'])
  assert.equal(
    renderPhases(progress.phases),
    'PHASE     FROM   TO     TOOK (ms)\nnetwork   0      40     40\nnodes     0      1500   1500\n',
  )
})

test('on a terminal: one live line, nothing of it stays', async () => {
  const output = recorder(true)
  const progress = createProgress(output, fakeClock(0))
  await progress.step('a step with a name that is longer than the line', () => progress.say('kept'))
  progress.end()
  // Carriage return and "erase to the end of the line" take away what stands in the line.
  const screen = output.written.reduce(
    (text, part) => (part === '\r\u001B[K' ? text.slice(0, text.lastIndexOf('\n') + 1) : text + part),
    '',
  )
  assert.equal(screen, 'kept\n')
  assert.ok(output.written.every((text) => text.length <= 40))
})
