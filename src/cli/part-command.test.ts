import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { partCommand } from '#cli/part-command.ts'
import { runCommand, type CommandContext } from '#daemon/command.ts'
import { text } from '#daemon/flags.ts'
import { silentLog } from '#daemon/log.ts'
import type { PartContext } from '#daemon/part.ts'

function setup(run: (options: { name: string; v: number }, context: PartContext) => Promise<void>) {
  const controller = new AbortController()
  let output = ''
  const stderr = { write: (line: string) => (output += line) }
  const context: CommandContext = {
    signal: controller.signal,
    log: silentLog,
    stdout: stderr,
    stderr,
    env: {},
    given: new Set(),
  }
  const command = partCommand({
    name: 'test',
    summary: 'a part',
    examples: [],
    flags: { name: text({ help: 'name', default: 'n' }) },
    run,
  })
  return {
    start: (...words: string[]) => runCommand(command, words, context),
    abort: () => controller.abort(),
    output: () => output,
  }
}
const aborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))

test('part command: flags of its own and those of all parts; ends with 0 after the signal', async () => {
  const run = setup(async ({ name, v }, { log, signal }) => {
    log.info(`started ${name} ${v}`)
    await aborted(signal)
    throw new Error('broken off')
  })
  const code = run.start('--name', 'x', '-v', '3', '--log-format', 'json')
  run.abort()
  assert.equal(await code, 0)
  assert.equal(JSON.parse(run.output()).msg, 'started x 3')
})

test('part command: what a part throws by itself is a failure', async () => {
  const run = setup(async () => {
    throw new Error('no')
  })
  await assert.rejects(run.start(), /^Error: no$/)
  await assert.rejects(run.start('more'), /test takes no argument "more"/)
})
