import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeClock } from '#daemon/clock.ts'
import { silentLog } from '#daemon/log.ts'
import { createRegistry } from '#daemon/metrics.ts'
import { createQueue } from '#daemon/queue.ts'

function setup(handle: (key: string) => Promise<void>, workers = 1) {
  const clock = fakeClock()
  const seen: string[] = []
  const controller = new AbortController()
  const registry = createRegistry()
  const queue = createQueue({
    name: 'test',
    clock,
    log: silentLog,
    workers,
    registry,
    backoffMs: { first: 10, most: 30 },
    async handle(key) {
      seen.push(`${clock.now()}:${key}`)
      await handle(key)
    },
  })
  return { clock, seen, queue, controller, registry, done: queue.run(controller.signal) }
}

test('queue: each key once, in the order of their marks', async () => {
  const { clock, seen, queue, controller, done, registry } = setup(async () => {})
  for (const key of ['a', 'b', 'a', 'c']) queue.mark(key)
  assert.equal(queue.size, 3)
  await clock.advance(0)
  controller.abort()
  await done
  assert.deepEqual(seen, ['0:a', '0:b', '0:c'])
  assert.match(registry.render(), /workqueue_adds_total\{name="test"\} 3/)
})

test('queue: a key marked while it is handled comes again, never twice at a time', async () => {
  let busy = 0
  let most = 0
  const { clock, seen, queue, controller, done } = setup(async () => {
    most = Math.max(most, ++busy)
    await clock.sleep(10)
    busy--
  }, 4)
  queue.mark('a')
  await clock.advance(5)
  queue.mark('a')
  await clock.advance(30)
  assert.deepEqual([seen, most], [['0:a', '10:a'], 1])
  for (const key of ['b', 'c', 'd', 'e', 'f']) queue.mark(key)
  await clock.advance(5)
  assert.deepEqual([busy, queue.size], [4, 1])
  controller.abort()
  await clock.advance(20)
  await done
  assert.equal(seen.length, 6)
})

test('queue: pauses after failures grow per key, and start anew after a success', async () => {
  let failures = 4
  const { clock, seen, queue, controller, done } = setup(async (key) => {
    if (key === 'a' && failures-- > 0) throw new Error('no')
  })
  queue.mark('a')
  queue.mark('b')
  await clock.advance(200)
  assert.deepEqual(seen, ['0:a', '0:b', '10:a', '30:a', '60:a', '90:a'])
  failures = 1
  queue.mark('a')
  await clock.advance(50)
  controller.abort()
  await done
  assert.deepEqual(seen.slice(6), ['200:a', '210:a'])
})

test('queue: later marks, the earliest counts', async () => {
  const { clock, seen, queue, controller, done } = setup(async () => {})
  queue.mark('a', 100)
  queue.mark('a', 50)
  queue.mark('a', 80)
  await clock.advance(200)
  queue.mark('b', 1000)
  controller.abort()
  await done
  assert.deepEqual(seen, ['50:a'])
  assert.equal(clock.waiting, 0)
})
