// Both stores do the same: random transactions against a model, keys that go away by themselves, backups.
import * as assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { openEtcdStore } from '#apiserver/store/etcd-store.ts'
import { openSqliteStore } from '#apiserver/store/sqlite-store.ts'
import { StoreError, type Change, type Store } from '#apiserver/store/store.ts'
import { fakeClock, systemClock } from '#daemon/clock.ts'
import { silentLog } from '#daemon/log.ts'
import { EtcdCluster } from '#test/etcd-cluster.ts'
import { need } from '#test/need.ts'
import { seeded } from '#test/random.ts'
import { randomRun } from '#test/store-model.ts'

const soak = process.env['FAIRWAY_SOAK'] !== undefined && process.env['FAIRWAY_SOAK'] !== ''

/** A kind of store: `open` opens the one of that name again, or makes it. */
type Subject = { readonly name: string; readonly skip: string | false; open(name: string): Promise<Store> }

const needsEtcd = need({ programs: ['etcd'] })
let folder: string
let cluster: EtcdCluster
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'fairway-store-'))
  if (needsEtcd === false) cluster = await EtcdCluster.start()
})
after(async () => {
  rmSync(folder, { recursive: true })
  await cluster?.[Symbol.asyncDispose]()
})

const sqlite: Subject = {
  name: 'SQLite',
  skip: false,
  open: async (name) => openSqliteStore({ path: join(folder, `${name}.db`), clock: systemClock }),
}
const etcd: Subject = {
  name: 'etcd',
  skip: needsEtcd,
  open: (name) =>
    openEtcdStore({ servers: cluster.urls, prefix: `/${name}`, clock: systemClock, log: silentLog, pageSize: 400 }),
}

for (const { name, skip, open } of [sqlite, etcd])
  describe(`the store on ${name}`, () => {
    test('does what the model does', { skip }, async () => {
      // etcd begins a watch of the past within a tenth of a second.
      const runs = (soak ? 2000 : 60) / (name === 'etcd' ? 12 : 1)
      for (let seed = 1; seed <= runs; seed++)
        await randomRun(() => open(`random-${seed}`), seeded(seed), 60).catch((error: Error) => {
          throw new Error(`seed ${seed}: ${error.message}`, { cause: error })
        })
    })

    test('one at a time wins', { skip }, async () => {
      await using store = await open('race')
      const written = await Promise.all(Array.from({ length: 50 }, (_, n) => store.create('k', { text: `${n}` })))
      assert.equal(written.filter(({ done }) => done).length, 1)
      for (let round = 0; round < 20; round++) {
        const { revision } = (await store.get('k'))!
        const tries = Array.from({ length: 10 }, (_, n) => store.update('k', { text: `${round}-${n}` }, revision))
        assert.equal((await Promise.all(tries)).filter(({ done }) => done).length, 1)
      }
    })

    test('what is acknowledged has been told to every watcher', { skip }, async () => {
      await using store = await open('told')
      const seen = new Set<number>()
      await store.watch('', (changes) => changes.forEach(({ revision }) => seen.add(revision)))
      await Promise.all(
        Array.from({ length: 200 }, async (_, n) => {
          const written = await store.create(`k${n}`, { text: '{}' })
          assert.ok(written.done && seen.has(written.revision))
        }),
      )
    })

    test('lists longer than one page', { skip }, async () => {
      await using store = await open('long')
      const count = 1300
      await Promise.all(Array.from({ length: count }, (_, n) => store.create(`p/${1e6 + n}`, { text: `${n}` })))
      const page = await store.list('p/')
      assert.deepEqual(
        page.items.map(({ value }) => Number(value.text)),
        Array.from({ length: count }, (_, n) => n),
      )
      const parts = await Array.fromAsync(store.parts('p/'))
      assert.deepEqual(
        parts.flatMap(({ items }) => items.map(({ key }) => key)),
        page.items.map(({ key }) => key),
      )
      assert.ok(parts.length > 1)
      assert.ok(parts.every(({ revision }) => revision === page.revision))
      assert.deepEqual(await Array.fromAsync(store.parts('none/')), [{ ...parts[0]!, items: [] }])
      const part = await store.list('p/', { limit: 900, from: 'p/1000100' })
      assert.deepEqual([part.items.length, part.items[0]?.key], [900, 'p/1000100'])
      const exported = await Array.fromAsync(store.export())
      assert.equal(exported.length, count)
    })

    test('goes on from a revision, with nothing before it', { skip }, async () => {
      await using store = await open('advanced')
      await store.create('a', { text: '{}' })
      const heard: number[] = []
      await store.watch('a', (_, through) => heard.push(through))
      const target = (await store.revision()) + 1234
      await store.advance(target)
      const now = await store.revision()
      assert.ok(now >= target && now < target + 10)
      await assert.rejects(store.changes('a', target - 1000, now), { code: 'compacted' })
      assert.equal((await store.get('a'))?.value.text, '{}')
      const written = await store.create('b', { text: '{}' })
      assert.ok(written.done && written.revision > target)
      assert.ok(heard.at(-1)! > target)
    })

    test('a write after the end is refused', { skip }, async () => {
      const store = await open('ended')
      await store[Symbol.asyncDispose]()
      const isClosed = (error: unknown) => error instanceof StoreError && error.code === 'closed'
      await assert.rejects(store.create('b', { text: '{}' }), isClosed)
    })
  })

test('SQLite: a key with a time to live goes away by itself, unless written again', async () => {
  const clock = fakeClock(1_000_000)
  await using store = openSqliteStore({ path: join(folder, 'ttl.db'), clock })
  await store.create('e/1', { text: '{}' }, { ttlSeconds: 60 })
  await store.create('e/2', { text: '{}' }, { ttlSeconds: 60 })
  await clock.advance(45_000)
  await store.update('e/2', { text: '{}' }, 2, { ttlSeconds: 60 })
  assert.deepEqual(
    (await Array.fromAsync(store.export())).map(({ ttlSeconds }) => ttlSeconds),
    [15, 60],
  )
  const gone: Change[] = []
  await store.watch('e/', (changes) => gone.push(...changes))
  await clock.advance(50_000)
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(
    (await store.list('e/')).items.map(({ key }) => key),
    ['e/2'],
  )
  assert.deepEqual(gone, [{ key: 'e/1', revision: 4, value: undefined }])
})

test('etcd: a key with a time to live goes away by itself, unless written again', { skip: etcd.skip }, async () => {
  await using store = await etcd.open('ttl')
  const gone = Promise.withResolvers<readonly Change[]>()
  await store.watch('e/', (changes) => {
    if (changes.some(({ value }) => value === undefined)) gone.resolve(changes)
  })
  await store.create('e/1', { text: '{}' }, { ttlSeconds: 2 })
  const second = await store.create('e/2', { text: '{}' }, { ttlSeconds: 2 })
  await store.update('e/2', { text: '{}' }, second.done ? second.revision : 0, { ttlSeconds: 600 })
  assert.deepEqual(
    (await Array.fromAsync(store.export())).map(({ ttlSeconds }) => ttlSeconds! > 60),
    [false, true],
  )
  assert.deepEqual(
    (await gone.promise).map(({ key }) => key),
    ['e/1'],
  )
  assert.equal((await store.get('e/2'))?.value.text, '{}')
})

test('SQLite: one process at a time has the file', async () => {
  await using _store = await sqlite.open('one')
  await assert.rejects(sqlite.open('one'), { name: 'StoreError', code: 'locked' })
})

test('SQLite: a write on its way is done before the end', async () => {
  const store = await sqlite.open('last')
  const pending = store.create('a', { text: '{}' })
  await store[Symbol.asyncDispose]()
  assert.equal((await pending).done, true)
})
