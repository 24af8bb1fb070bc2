// Random writes, reads, compactions and restarts on a store, against the plainest model there is: every version of
// every key in one list.
import * as assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openSqliteStore, type SqliteStore } from '#apiserver/store/sqlite-store.ts'
import { StoreError, type Change, type Store } from '#apiserver/store/store.ts'
import { fakeClock } from '#daemon/clock.ts'

type Version = { readonly key: string; readonly revision: number; readonly text: string | undefined }

/** What the store should be, as a list of all writes. */
class Model {
  readonly log: Version[] = []
  compacted = 0
  get revision() {
    return this.log.length
  }
  at(key: string, revision = this.revision): Version | undefined {
    return this.log.findLast((version) => version.key === key && version.revision <= revision)
  }
  list(prefix: string, revision = this.revision): Version[] {
    const keys = [...new Set(this.log.map(({ key }) => key))].filter((key) => key.startsWith(prefix)).sort()
    return keys.map((key) => this.at(key, revision)).filter((found) => found?.text !== undefined) as Version[]
  }
  write(key: string, text: string | undefined, expected: number): boolean {
    const last = this.at(key)
    if ((last?.text === undefined ? 0 : last.revision) !== expected) return false
    if (text === undefined && expected === 0) return false
    this.log.push({ key, text, revision: this.revision + 1 })
    return true
  }
}

function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

async function withFolder<T>(act: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'fairway-store-'))
  try {
    return await act(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const keys = ['a/1', 'a/2', 'a/x/1', 'a/x-y/1', 'b/1', 'b/2']

async function oneRun(seed: number, path: string): Promise<void> {
  const random = randomOf(seed)
  const clock = fakeClock(1_000_000)
  const open = () => openSqliteStore({ path, clock })
  let store: SqliteStore = open()
  const model = new Model()
  const seen: Change[] = []
  await store.watch('a/', (changes) => seen.push(...changes))
  for (let step = 0; step < 60; step++) {
    const key = keys[random(keys.length)]!
    const action = random(20)
    if (action < 14) await Promise.all(Array.from({ length: 1 + random(4) }, () => writeOne(store, model, random)))
    else if (action < 16) {
      const target = model.compacted + random(Math.max(1, model.revision - model.compacted + 1))
      await store.compact(target)
      model.compacted = target
    } else if (action < 17) {
      await store[Symbol.asyncDispose]()
      store = open()
      await store.watch('a/', (changes) => seen.push(...changes))
    } else await compareReads(store, model, key, random)
  }
  await compareReads(store, model, keys[0]!, random)
  const told = seen.map(({ key, revision, value }) => ({ key, revision, text: value?.text }))
  const want = model.log.filter(({ key }) => key.startsWith('a/'))
  assert.deepEqual(
    told,
    want.map(({ key, revision, text }) => ({ key, revision, text })),
  )
  await store[Symbol.asyncDispose]()
}

async function writeOne(store: Store, model: Model, random: (below: number) => number): Promise<void> {
  const key = keys[random(keys.length)]!
  const last = model.at(key)
  const right = last?.text === undefined ? 0 : last.revision
  const expected = random(5) === 0 ? random(model.revision + 1) : right
  const isDelete = expected !== 0 && random(3) === 0
  const text = isDelete ? undefined : `{"n":${random(1000)}}`
  const done = model.write(key, text, expected)
  const written = isDelete
    ? store.delete(key, expected)
    : expected === 0
      ? store.create(key, { text: text! })
      : store.update(key, { text: text! }, expected)
  const revision = model.revision
  const answer = await written
  assert.equal(answer.done, done, `write ${key} expecting ${expected}`)
  if (answer.done) assert.equal(answer.revision, revision)
}

async function compareReads(store: Store, model: Model, key: string, random: (below: number) => number) {
  assert.equal(await store.revision(), model.revision)
  assert.equal(await store.compacted(), model.compacted)
  const got = await store.get(key)
  const want = model.at(key)
  assert.deepEqual(got?.value.text, want?.text)
  if (want?.text !== undefined) assert.equal(got?.revision, want.revision)
  const revision = model.compacted + random(model.revision - model.compacted + 1)
  for (const prefix of ['a/', 'a/x/', 'b/', 'c/']) {
    const all = model.list(prefix, revision)
    const limit = random(4)
    const from = all[random(all.length + 1)]?.key ?? prefix
    const wanted = all.filter((version) => version.key >= from)
    const page = await store.list(prefix, { limit, from, revision })
    const shown = limit === 0 ? wanted : wanted.slice(0, limit)
    assert.deepEqual(
      page.items.map((item) => [item.key, item.revision, item.value.text]),
      shown.map((v) => [v.key, v.revision, v.text]),
    )
    assert.equal(page.remaining, wanted.length - shown.length)
  }
  const changes = await store.changes('a/', revision, model.revision)
  assert.deepEqual(
    changes.map((change) => [change.key, change.revision, change.value?.text, change.previous?.text]),
    model.log
      .filter((version) => version.key.startsWith('a/') && version.revision > revision)
      .map((version) => [
        version.key,
        version.revision,
        version.text,
        model.at(version.key, version.revision - 1)?.text,
      ]),
  )
  if (model.compacted > 0)
    await assert.rejects(store.list('a/', { revision: model.compacted - 1 }), { code: 'compacted' })
  await assert.rejects(store.list('a/', { revision: model.revision + 1 }), { code: 'future' })
}

test('a store does what the model does', async () => {
  const runs = process.env['FAIRWAY_SOAK'] ? 2000 : 60
  for (let seed = 1; seed <= runs; seed++)
    await withFolder((folder) => oneRun(seed, join(folder, 'store.db'))).catch((error: Error) => {
      throw new Error(`seed ${seed}: ${error.message}`, { cause: error })
    })
})

test('a key with a time to live goes away by itself, unless written again', () =>
  withFolder(async (folder) => {
    const clock = fakeClock(1_000_000)
    await using store = openSqliteStore({ path: join(folder, 'store.db'), clock })
    await store.create('e/1', { text: '{}' }, { ttlSeconds: 60 })
    await store.create('e/2', { text: '{}' }, { ttlSeconds: 60 })
    await clock.advance(45_000)
    await store.update('e/2', { text: '{}' }, 2, { ttlSeconds: 60 })
    const gone: Change[] = []
    await store.watch('e/', (changes) => gone.push(...changes))
    await clock.advance(50_000)
    await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(
      (await store.list('e/')).items.map(({ key }) => key),
      ['e/2'],
    )
    assert.deepEqual(gone, [{ key: 'e/1', revision: 4, value: undefined }])
  }))

test('one process at a time has the file', () =>
  withFolder(async (folder) => {
    const path = join(folder, 'store.db')
    await using _store = openSqliteStore({ path, clock: fakeClock() })
    assert.throws(() => openSqliteStore({ path, clock: fakeClock() }), { name: 'StoreError', code: 'locked' })
  }))

test('a write after the end is refused, not lost', () =>
  withFolder(async (folder) => {
    const store = openSqliteStore({ path: join(folder, 'store.db'), clock: fakeClock() })
    const pending = store.create('a', { text: '{}' })
    await store[Symbol.asyncDispose]()
    assert.equal((await pending).done, true)
    await assert.rejects(
      store.create('b', { text: '{}' }),
      (error) => error instanceof StoreError && error.code === 'closed',
    )
  }))
