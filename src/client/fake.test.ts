import * as assert from 'node:assert/strict'
import { json } from 'node:stream/consumers'
import { test } from 'node:test'
import { type ConfigMap, type Namespace, type Pod, configMaps, namespaces, pods } from '#api/core.ts'
import { isConflict, isExpired, isNotFound } from '#client/client.ts'
import { fakeClient } from '#client/fake.ts'
import { informer } from '#client/informer.ts'
import { fakeClock } from '#daemon/clock.ts'
import { silentLog } from '#daemon/log.ts'

const map = (name: string, data?: Record<string, string>): ConfigMap => ({
  metadata: { name, namespace: 'default', labels: { app: name } },
  ...(data && { data }),
})
const inDefault = { namespace: 'default' }
const turn = () => new Promise((resolve) => setImmediate(resolve))

test('writes, versions, conflicts', async () => {
  const client = fakeClient()
  const made = await client.create(configMaps, map('a'))
  assert.equal(made.metadata?.resourceVersion, '1')
  const next = await client.update(configMaps, { ...made, data: { x: '1' } })
  await assert.rejects(client.update(configMaps, { ...made, data: { x: '2' } }), isConflict)
  assert.equal(
    await client.update(configMaps, next).then(({ metadata }) => metadata?.resourceVersion),
    '2',
    'no change',
  )
  const patched = await client.patch(configMaps, 'a', { data: { x: null, y: '1' } }, { type: 'merge', ...inDefault })
  assert.deepEqual(patched.data, { y: '1' })
  const stale = { metadata: { resourceVersion: '1' } }
  await assert.rejects(client.patch(configMaps, 'a', stale, { type: 'merge', ...inDefault }), isConflict)
  await assert.rejects(client.delete(configMaps, 'a', { ...inDefault, uid: 'other' }), isConflict)
  await client.delete(configMaps, 'a', inDefault)
  await assert.rejects(client.get(configMaps, 'a', inDefault), isNotFound)
  assert.deepEqual(client.writes.slice(0, 2), ['create configmaps default/a', 'update configmaps default/a'])
})

test('status and specification are written apart', async () => {
  const client = fakeClient()
  const pod: Pod = { metadata: { generateName: 'p-', namespace: 'default' }, spec: { containers: [] } }
  const made = await client.create(pods, { ...pod, status: { phase: 'Running' } })
  assert.match(made.metadata?.name ?? '', /^p-\w{5}$/)
  assert.equal(made.status?.phase, 'Pending')
  const running = { ...made, status: { phase: 'Running' }, spec: { containers: [], nodeName: 'n' } }
  const first = await client.update(pods, running, { subresource: 'status' })
  assert.deepEqual([first.status?.phase, first.spec?.nodeName, first.metadata?.generation], ['Running', undefined, 1])
  const binding = { metadata: { name: made.metadata!.name! }, target: { name: 'node-1' } }
  await client.create(pods, binding as unknown as Pod, {
    subresource: 'binding',
    name: made.metadata!.name!,
    ...inDefault,
  })
  assert.equal((await client.get(pods, made.metadata!.name!, inDefault)).spec?.nodeName, 'node-1')
})

test('deletion: in time, after finalizers, at once', async () => {
  const client = fakeClient()
  client.seed(pods, { metadata: { name: 'p', namespace: 'default' }, spec: { containers: [], nodeName: 'n' } })
  await client.delete(pods, 'p', inDefault)
  assert.equal(client.all(pods)[0]?.metadata?.deletionGracePeriodSeconds, 30)
  await client.delete(pods, 'p', { ...inDefault, gracePeriodSeconds: 0 })
  assert.equal(client.all(pods).length, 0)

  await client.create(configMaps, map('a'))
  await client.delete(configMaps, 'a', { ...inDefault, propagationPolicy: 'Foreground' })
  assert.deepEqual(client.all(configMaps)[0]?.metadata?.finalizers, ['foregroundDeletion'])
  await client.patch(configMaps, 'a', { metadata: { finalizers: [] } }, { type: 'merge', ...inDefault })
  assert.equal(client.all(configMaps).length, 0)

  const shop = await client.create(namespaces, { metadata: { name: 'shop' } })
  await client.delete(namespaces, 'shop')
  await assert.rejects(client.create(configMaps, { metadata: { name: 'x', namespace: 'shop' } }), /being terminated/)
  await client.update(namespaces, { ...shop, metadata: { name: 'shop' }, spec: {} } as Namespace, {
    subresource: 'finalize',
  })
  assert.equal(client.all(namespaces).length, 0)
})

test('an informer follows it through cuts and compactions', async () => {
  const client = fakeClient()
  const clock = fakeClock()
  const abort = new AbortController()
  await client.create(configMaps, map('a'))
  const changes: string[] = []
  const cache = informer(client, configMaps, {
    signal: abort.signal,
    log: silentLog,
    clock,
    labelSelector: 'app in (a,b)',
    onChange: ({ kind, key }) => changes.push(`${kind} ${key}`),
  })
  await cache.synced
  await turn()
  await client.create(configMaps, map('b'))
  await client.create(configMaps, map('c'))
  await turn()
  client.cut()
  await turn()
  await client.delete(configMaps, 'a', inDefault)
  client.compact()
  await clock.advance(60_000)
  await turn()
  assert.deepEqual(changes, ['added default/a', 'added default/b', 'removed default/a'])
  await client.patch(configMaps, 'b', { metadata: { labels: { app: 'other' } } }, { type: 'merge', ...inDefault })
  await turn()
  assert.equal(changes.at(-1), 'removed default/b', 'it no longer matches')
  abort.abort()
})

test('a watch from before a compaction is refused', async () => {
  const client = fakeClient()
  await client.create(configMaps, map('a'))
  client.compact()
  const watch = client.watch(configMaps, { resourceVersion: '0', signal: AbortSignal.timeout(1000) })
  await assert.rejects(watch[Symbol.asyncIterator]().next(), isExpired)
})

test('failures on request, discovery', async () => {
  const client = fakeClient({ resources: [pods, configMaps] })
  client.intercept = (request) => {
    if (request === 'create configmaps default/a') throw new Error('no')
  }
  await assert.rejects(client.create(configMaps, map('a')), /no/)
  const { body } = await client.raw('GET', '/api/v1')
  const { resources } = (await json(body)) as { resources: { name: string }[] }
  assert.deepEqual(
    resources.map(({ name }) => name),
    ['pods', 'configmaps'],
  )
})
