import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ConfigMap } from '#api/core.ts'
import { Store, confirmationMs } from '#client/control/store.ts'
import { meta } from '#test/stored-objects.ts'

const map = (name: string, version: number, more: object = {}): ConfigMap => ({
  metadata: meta(name, { resourceVersion: String(version), ...more }),
})

function watched() {
  const store = new Store<ConfigMap>((object) => object)
  const told: string[] = []
  store.listen(({ kind, key, value, old }) =>
    told.push(`${kind} ${key} ${old ? `${old.metadata.resourceVersion}>` : ''}${value.metadata.resourceVersion}`),
  )
  return { store, told, version: (key: string) => store.get(key)?.metadata.resourceVersion }
}

test('the watch tells, listeners hear', () => {
  const { store, told } = watched()
  store.tell(map('a', 1))
  store.tell(map('a', 2))
  store.tellGone(map('a', 2))
  assert.deepEqual(told, ['added default/a 1', 'changed default/a 1>2', 'removed default/a 2'])
  assert.equal(store.size, 0)
})

test('an own write is seen at once, and told once', () => {
  const { store, told, version } = watched()
  store.wrote(map('a', 5), 0)
  assert.equal(version('default/a'), '5')
  store.tell(map('a', 5))
  assert.deepEqual(told, ['added default/a 5'])
  assert.equal(store.hasUnconfirmed, false)
})

test('an older state does not undo a newer one, whoever tells it', () => {
  const { store, version } = watched()
  store.tell(map('a', 3))
  store.wrote(map('a', 7), 0)
  store.tell(map('a', 5))
  assert.equal(version('default/a'), '7')
  store.tell(map('a', 9))
  store.wrote(map('a', 8), 0)
  assert.equal(version('default/a'), '9')
})

test('a server that was restored from a backup is right', () => {
  const { store, version } = watched()
  store.tell(map('a', 9))
  store.tell(map('a', 4))
  assert.equal(version('default/a'), '4')
})

test('the answer to a write comes after the watch told that the object is gone', () => {
  const { store, version } = watched()
  store.tell(map('a', 5))
  store.tellGone(map('a', 5))
  store.wrote(map('a', 5), 0)
  assert.equal(version('default/a'), undefined)
})

test('the end of an object does not take its successor with it', () => {
  const { store, version } = watched()
  store.tell(map('a', 5, { uid: 'old' }))
  store.wrote(map('a', 8, { uid: 'new' }), 0)
  store.tellGone(map('a', 5, { uid: 'old' }))
  assert.equal(version('default/a'), '8')
})

test('an assumption holds until something newer is told', () => {
  const { store, told } = watched()
  store.tell(map('a', 5))
  const known = store.get('default/a')!
  store.assume({ ...known, data: { x: 'assumed' } }, 0)
  assert.deepEqual(store.get('default/a')?.data, { x: 'assumed' })
  // The state that it follows from may be told late, by another connection.
  store.tell(map('a', 5))
  store.wrote(map('a', 5), 0)
  assert.deepEqual(store.get('default/a')?.data, { x: 'assumed' })
  store.tell(map('a', 6))
  assert.equal(store.get('default/a')?.data, undefined)
  store.assume({ ...known, data: { x: 'late' } }, 0)
  assert.equal(store.get('default/a')?.data, undefined, 'it was about an older state')
  assert.equal(told.length, 3)
})

test('an own write that the watch never tells of is dropped in the end', () => {
  const { store, version } = watched()
  store.wrote(map('a', 5), 1000)
  store.wrote(map('b', 6), 1000)
  store.dropUnconfirmed(() => false, 1000 + confirmationMs - 1)
  assert.equal(version('default/a'), '5')
  store.dropUnconfirmed((key) => key === 'default/b', 1000 + confirmationMs)
  assert.deepEqual([version('default/a'), version('default/b')], [undefined, '6'])
})

test('a late listener hears of what there is', () => {
  const { store } = watched()
  store.tell(map('a', 1))
  const heard: string[] = []
  store.listen(({ kind, key }) => heard.push(`${kind} ${key}`))
  assert.deepEqual(heard, ['added default/a'])
})

test('an index follows', () => {
  const { store } = watched()
  store.tell(map('a', 1, { labels: { app: 'x' } }))
  const byApp = store.index(({ metadata }) => [metadata.labels?.['app'] ?? ''])
  const names = (app: string) => byApp.of(app).map(({ metadata }) => metadata.name)
  store.tell(map('b', 2, { labels: { app: 'x' } }))
  assert.deepEqual(names('x'), ['a', 'b'])
  store.tell(map('a', 3, { labels: { app: 'y' } }))
  assert.deepEqual([names('x'), names('y')], [['b'], ['a']])
  store.tellGone(map('b', 2, { labels: { app: 'x' } }))
  assert.deepEqual(names('x'), [])
})
