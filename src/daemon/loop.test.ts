import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeClock } from '#daemon/clock.ts'
import { silentLog } from '#daemon/log.ts'
import { createLoop } from '#daemon/loop.ts'

function setup(act: (keys: readonly string[]) => Promise<void> | void, more: { resyncMs?: number } = {}) {
  const clock = fakeClock()
  const acts: string[] = []
  const controller = new AbortController()
  const loop = createLoop({
    name: 'test',
    clock,
    log: silentLog,
    backoffMs: { first: 100, most: 400 },
    onResync: () => ['all'],
    ...more,
    async act(keys) {
      acts.push(`${clock.now()}:${[...keys].join()}`)
      await act([...keys])
    },
  })
  return { clock, acts, loop, controller, done: loop.run(controller.signal) }
}

test('loop: marks are taken together, those made while it acts in the next round', async () => {
  const { clock, acts, loop, controller, done } = setup((keys) => {
    if (keys.includes('a')) loop.mark('d')
  })
  loop.mark('a')
  loop.mark('b')
  loop.mark('a')
  await clock.advance(0)
  loop.mark('c')
  await clock.advance(0)
  controller.abort()
  await done
  assert.deepEqual(acts, ['0:a,b', '0:d', '0:c'])
})

test('loop: after a failure everything is tried again, later and later', async () => {
  let failures = 4
  const { clock, acts, loop, controller, done } = setup(() => {
    if (failures-- > 0) throw new Error('no')
  })
  loop.mark('a')
  await clock.advance(1500)
  loop.mark('b')
  await clock.advance(10)
  controller.abort()
  await done
  assert.deepEqual(acts, ['0:a', '100:a', '300:a', '700:a', '1100:a', '1500:b'])
})

test('loop: something new ends a long pause early, but not the shortest one', async () => {
  const { clock, acts, loop, controller, done } = setup(() => {
    throw new Error('no')
  })
  loop.mark('a')
  await clock.advance(350)
  assert.deepEqual(acts, ['0:a', '100:a', '300:a'])
  loop.mark('b')
  await clock.advance(100)
  controller.abort()
  await done
  assert.deepEqual(acts.slice(3), ['400:a,b'])
})

test('loop: resyncs', async () => {
  const { clock, acts, controller, done } = setup(() => {}, { resyncMs: 1000 })
  await clock.advance(2500)
  controller.abort()
  await done
  assert.deepEqual(acts, ['1000:all', '2000:all'])
  assert.equal(clock.waiting, 0)
})
