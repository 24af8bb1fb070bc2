// The cache on a store that tells of writes late, as one behind a network does.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { entryAt, entryOf, valueOf } from '#apiserver/cache/entry.ts'
import { ResourceCache, type CacheEvent } from '#apiserver/cache/resource-cache.ts'
import { SortedKeys } from '#apiserver/cache/sorted-keys.ts'
import { openSqliteStore } from '#apiserver/store/sqlite-store.ts'
import type { Change, Sink, Store } from '#apiserver/store/store.ts'
import { fakeClock } from '#daemon/clock.ts'

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
