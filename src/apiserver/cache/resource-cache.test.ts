// The cache on a store that tells of writes late, as one behind a network does.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { entryAt, entryOf, valueOf } from '#apiserver/cache/entry.ts'
import { ResourceCache, type CacheEvent } from '#apiserver/cache/resource-cache.ts'
import { SortedKeys } from '#apiserver/cache/sorted-keys.ts'
import { openSqliteStore } from '#apiserver/store/sqlite-store.ts'
import type { Change, Sink, Store } from '#apiserver/store/store.ts'
import { fakeClock } from '#daemon/clock.ts'
import { seeded } from '#test/random.ts'

/** Holds back what watchers are told until `tell`. */
function lateStore(inner: Store): Store & { tell(): void } {
  const held: (() => void)[] = []
  return {
    get trouble() {
      return inner.trouble
    },
    revision: () => inner.revision(),
    compacted: () => inner.compacted(),
    get: (key) => inner.get(key),
    list: (prefix, options) => inner.list(prefix, options),
    parts: (prefix, options) => inner.parts(prefix, options),
    create: (key, value, options) => inner.create(key, value, options),
    update: (key, value, expected, options) => inner.update(key, value, expected, options),
    delete: (key, expected) => inner.delete(key, expected),
    compact: (revision) => inner.compact(revision),
    changes: (prefix, after, through) => inner.changes(prefix, after, through),
    export: () => inner.export(),
    advance: (revision) => inner.advance(revision),
    watch: (prefix: string, sink: Sink) =>
      inner.watch(prefix, (changes: readonly Change[], through) => held.push(() => sink(changes, through))),
    tell() {
      for (const act of held.splice(0)) act()
    },
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  }
}

const value = (name: string, n = 0) =>
  valueOf({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, labels: { n: String(n) } } })

test('reads wait for what was written before them', async () => {
  await using inner = openSqliteStore({ path: ':memory:', clock: fakeClock() })
  const store = lateStore(inner)
  await store.create('c/a', value('a'))
  const cache = new ResourceCache(store, 'c/')
  await cache.fresh()
  assert.equal(cache.get('a')?.revision, 1)
  await store.create('c/b', value('b'))
  await store.create('other/x', value('x'))
  assert.equal(cache.get('b'), undefined)
  let isFresh = false
  const fresh = cache.fresh().then((revision) => {
    isFresh = true
    return revision
  })
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(isFresh, false)
  store.tell()
  assert.equal(await fresh, 3, 'also what others wrote counts')
  assert.equal(cache.get('b')?.revision, 2)
})

test('whoever subscribes at any revision sees every event once, in order', async () => {
  await using store = openSqliteStore({ path: ':memory:', clock: fakeClock() })
  const cache = new ResourceCache(store, 'c/')
  await cache.fresh()
  const revisions: number[] = []
  for (let n = 0; n < 2600; n++) {
    const name = `k${n % 7}`
    const written = await (n < 7
      ? store.create(`c/${name}`, value(name, n))
      : store.update(`c/${name}`, value(name, n), revisions[n - 7]!))
    assert.ok(written.done)
    revisions.push(written.revision)
  }
  for (const after of [0, 1, 599, 1599, 2599, 2600]) {
    const seen: CacheEvent[] = []
    const stop = await cache.subscribe(after, (events) => seen.push(...events))
    stop()
    assert.deepEqual(
      seen.map(({ revision }) => revision),
      revisions.filter((revision) => revision > after),
      `after ${after}`,
    )
    for (const { previous, entry } of seen.filter(({ kind }) => kind === 'modified'))
      assert.equal(Number(entry.labels['n']) - Number(previous?.labels['n']), 7)
  }
})

test('an entry is the stored text with its revision', () => {
  const entry = entryOf('a', 7, value('a'), undefined)
  assert.equal(
    new TextDecoder().decode(entry.bytes),
    '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"resourceVersion":"7","name":"a","labels":{"n":"0"}}}',
  )
  assert.deepEqual(JSON.parse(new TextDecoder().decode(entry.bytes)), entry.object)
  assert.equal(entryAt(entry, 9).object.metadata?.resourceVersion, '9')
  const bare = entryOf('a', 7, { text: '{"apiVersion":"v1","kind":"X","metadata":{}}' }, undefined)
  assert.deepEqual(bare.object.metadata, { resourceVersion: '7' })
})

test('keys stay in order', () => {
  const keys = new SortedKeys()
  const all = () => Array.from({ length: keys.size }, (_, index) => keys.at(index))
  keys.replace(['c', 'a'])
  for (const key of ['b', 'd', '0']) keys.add(key)
  keys.delete('c')
  keys.delete('nope')
  assert.deepEqual([all(), keys.from('b'), keys.from('c'), keys.from('z')], [['0', 'a', 'b', 'd'], 2, 3, 4])
  for (const key of ['f', 'e', '00', 'aa']) keys.add(key)
  assert.deepEqual(all(), ['0', '00', 'a', 'aa', 'b', 'd', 'e', 'f'])
})

test('what is known is found without asking the store', async () => {
  await using store = openSqliteStore({ path: ':memory:', clock: fakeClock() })
  await store.create('c/a', value('a'))
  let asked = 0
  const counting: Store = { ...lateStore(store), revision: () => (asked++, store.revision()) }
  const cache = new ResourceCache(counting, 'c/')
  assert.equal((await cache.find('a'))?.name, 'a')
  assert.equal(asked, 0)
  assert.equal(await cache.find('none'), undefined)
  assert.equal(asked, 1, 'what is not known might be there by now')
})

test('keys in order, however they come and go', () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = seeded(seed)
    const keys = new SortedKeys()
    const model = new Set<string>()
    for (let round = 0; round < 20; round++) {
      const most = random.integer(0, 40)
      for (let n = 0; n < most; n++) {
        const key = String(random.integer(0, 200))
        if (random.integer(0, 2) === 0) {
          keys.delete(key)
          model.delete(key)
        } else if (!model.has(key)) {
          keys.add(key)
          model.add(key)
        }
      }
      const found = Array.from({ length: keys.size }, (_, index) => keys.at(index))
      assert.deepEqual(found, [...model].sort(), `seed ${seed}`)
    }
  }
})

test('many objects are read in parts, while others write', async () => {
  await using store = openSqliteStore({ path: ':memory:', clock: fakeClock() })
  const count = 5000
  const name = (n: number) => String(n).padStart(5, '0')
  // Some are longer in bytes than in characters.
  const text = (n: number) => (n % 1000 === 7 ? `${n} é 😀` : String(n))
  const make = (n: number) => valueOf({ metadata: { name: name(n), labels: { n: text(n) } } })
  for (let n = 0; n < count; n += 500)
    await Promise.all(Array.from({ length: 500 }, (_, more) => store.create(`c/${name(n + more)}`, make(n + more))))
  const cache = new ResourceCache(store, 'c/')
  let turns = 0
  const ticking = setInterval(() => turns++, 0)
  const loading = cache.fresh()
  // Behind and before what has been read by then.
  await new Promise((resolve) => setTimeout(resolve, 1))
  const first = await store.get('c/00000')
  await store.update('c/00000', valueOf({ metadata: { name: '00000', labels: { n: 'changed' } } }), first!.revision)
  await store.delete(`c/${name(count - 1)}`, (await store.get(`c/${name(count - 1)}`))!.revision)
  await store.create('c/99999', make(99_999))
  await loading
  await cache.fresh()
  clearInterval(ticking)
  assert.ok(turns > 0, 'nobody else had a turn')
  assert.equal(cache.size, count)
  assert.deepEqual(
    [cache.get('00000')?.labels['n'], cache.get(name(count - 1)), cache.get('99999')?.labels['n']],
    ['changed', undefined, '99999'],
  )
  for (const n of [1, 7, 999, 1000, 1007, 4007, 4998]) {
    const entry = cache.get(name(n))!
    assert.deepEqual(entry.labels, { n: text(n) })
    const { metadata } = JSON.parse(new TextDecoder().decode(entry.bytes)) as { metadata: object }
    assert.deepEqual(metadata, { resourceVersion: String(n + 1), name: name(n), labels: { n: text(n) } })
    assert.equal(entry.object.metadata?.name, name(n))
  }
})
