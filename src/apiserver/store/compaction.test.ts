import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { compactRegularly } from '#apiserver/store/compaction.ts'
import { openSqliteStore } from '#apiserver/store/sqlite-store.ts'
import { fakeClock } from '#daemon/clock.ts'
import { silentLog } from '#daemon/log.ts'

test('history of the last five minutes stays', async () => {
  const clock = fakeClock()
  await using store = openSqliteStore({ path: ':memory:', clock })
  const stop = compactRegularly(store, clock, silentLog)
  const compacted = async () => {
    await new Promise((resolve) => setImmediate(resolve))
    return store.compacted()
  }
  await store.create('a', { text: '{}' })
  await clock.advance(5 * 60_000)
  assert.equal(await compacted(), 0)
  await store.create('b', { text: '{}' })
  await clock.advance(5 * 60_000)
  assert.equal(await compacted(), 1)
  await clock.advance(5 * 60_000)
  assert.equal(await compacted(), 2)
  stop()
  assert.deepEqual((await store.list('')).items.length, 2)
})
