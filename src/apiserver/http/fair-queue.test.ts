import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { FairQueue, type Leave } from '#apiserver/http/fair-queue.ts'
import { seeded } from '#test/random.ts'

test('one user with many requests does not keep another waiting', async () => {
  const queue = new FairQueue({ seats: 1, mostWaiting: 100 })
  const order: string[] = []
  const first = queue.enter('greedy', 1) as Leave
  const act = async (user: string) => {
    const leave = await queue.enter(user, 1)
    order.push(user)
    leave?.()
  }
  const all = [...Array.from({ length: 5 }, () => act('greedy')), act('node'), act('node')]
  first()
  await Promise.all(all)
  assert.deepEqual(order, ['greedy', 'node', 'greedy', 'node', 'greedy', 'greedy', 'greedy'])
  assert.equal(queue.waiting, 0)
})

test('what waits is bounded for each user', () => {
  const queue = new FairQueue({ seats: 1, mostWaiting: 2 })
  const entered = (user: string) => queue.enter(user, 1) !== undefined
  assert.deepEqual(['a', 'a', 'a', 'a', 'b'].map(entered), [true, true, true, false, true])
})

test('what weighs more than there is goes alone, and in its turn', async () => {
  const queue = new FairQueue({ seats: 4, mostWaiting: 9 })
  const light = queue.enter('a', 1) as Leave
  const heavy = queue.enter('b', 9) as Promise<Leave>
  const later = queue.enter('a', 1) as Promise<Leave>
  light()
  const leave = await heavy
  let isIn = false
  void later.then(() => (isIn = true))
  await Promise.resolve()
  assert.equal(isIn, false)
  leave()
  await later
})

test('no seat is lost and none is given twice, whatever comes', async () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = seeded(seed)
    const seats = 1 + Math.floor(random.next() * 6)
    const queue = new FairQueue({ seats, mostWaiting: 1000 })
    let taken = 0
    let done = 0
    const act = async (user: string) => {
      const weight = 1 + Math.floor(random.next() * 8)
      const leave = await queue.enter(user, weight)
      taken += Math.min(weight, seats)
      assert.ok(taken <= seats, `seed ${seed}`)
      for (let n = random.next() * 4; n > 0; n--) await Promise.resolve()
      taken -= Math.min(weight, seats)
      leave?.()
      done++
    }
    await Promise.all(Array.from({ length: 60 }, () => act(random.pick(['a', 'b', 'c']))))
    assert.deepEqual([done, taken, queue.waiting], [60, 0, 0], `seed ${seed}`)
  }
})
