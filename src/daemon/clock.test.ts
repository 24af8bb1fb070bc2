import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeClock, systemClock } from '#daemon/clock.ts'

test('clock: the fake one runs what is due, in order, also what that starts', async () => {
  const clock = fakeClock(1000)
  const seen: string[] = []
  const note = (what: string) => seen.push(`${what}@${clock.now()}`)
  clock.after(20, () => note('b'))
  const cancel = clock.after(5, () => note('never'))
  clock.after(10, () => {
    note('a')
    clock.after(5, () => note('a2'))
  })
  cancel()
  const slept = clock
    .sleep(12)
    .then(() => clock.sleep(3))
    .then(() => note('slept'))
  await clock.advance(15)
  await slept
  assert.deepEqual(seen, ['a@1010', 'a2@1015', 'slept@1015'])
  await clock.advance(100)
  assert.deepEqual(seen.at(-1), 'b@1020')
  assert.equal(clock.now(), 1115)
})

for (const [name, clock] of [
  ['fake', fakeClock()],
  ['system', systemClock],
] as const)
  test(`clock: a ${name} sleep ends when the signal is aborted`, async () => {
    const controller = new AbortController()
    const slept = clock.sleep(60_000, controller.signal)
    controller.abort()
    await slept
    await clock.sleep(60_000, controller.signal)
  })

test('clock: the system one tells the time', async () => {
  assert.ok(Math.abs(systemClock.now() - Date.now()) < 1000)
  const before = systemClock.monotonicMs()
  await systemClock.sleep(2)
  assert.ok(systemClock.monotonicMs() - before >= 1)
})
