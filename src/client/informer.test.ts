import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { pods, type Pod } from '#api/core.ts'
import { connect } from '#client/client.ts'
import { informer, type InformerOptions } from '#client/informer.ts'
import { silentLog } from '#daemon/log.ts'
import { FakeKubernetes } from '#test/fake-kubernetes.ts'
import { untilSeen } from '#test/until.ts'

const pod = (name: string, phase?: string) => ({ metadata: { name, namespace: 'ns' }, status: { phase } })

async function setup(server: FakeKubernetes, more: Partial<InformerOptions<Pod, string>> = {}) {
  const controller = new AbortController()
  const client = connect({ server: server.url })
  const changes: string[] = []
  let arrived = () => {}
  const cache = informer(client, pods, {
    signal: controller.signal,
    log: silentLog,
    backoffMs: { first: 1, most: 20 },
    slim: (object: Pod) => object.status?.phase ?? '',
    ...more,
    onChange({ kind, key, value, old }) {
      changes.push(`${kind} ${key}${old === undefined ? '' : ` ${old} ->`} ${value}`.trimEnd())
      arrived()
    },
  })
  return {
    cache,
    client,
    /** Waits for so many changes and answers them. */
    async take(count: number): Promise<string[]> {
      while (changes.length < count) await new Promise<void>((resolve) => (arrived = resolve))
      return changes.splice(0)
    },
    async [Symbol.asyncDispose]() {
      controller.abort()
      client.close()
    },
  }
}

test('informer: lists in pages, then watches', async () => {
  await using server = await FakeKubernetes.start()
  for (const name of ['a', 'b', 'c', 'd', 'e']) server.put('pods', pod(name, 'Pending'))
  let syncs = 0
  await using run = await setup(server, { pageSize: 2, onSync: () => syncs++ })
  await run.cache.synced
  assert.deepEqual([syncs, run.cache.size, run.cache.isSynced, run.cache.get('ns/c')], [1, 5, true, 'Pending'])
  assert.equal(server.requests.filter((line) => line.includes('limit=2')).length, 3)
  await run.take(5)
  await untilSeen(() => server.watches === 1)
  server.put('pods', pod('a', 'Running'))
  server.put('pods', pod('f', 'Pending'))
  server.remove('pods', pod('b').metadata)
  assert.deepEqual(await run.take(3), ['changed ns/a Pending -> Running', 'added ns/f Pending', 'removed ns/b Pending'])
  assert.deepEqual([...run.cache.values()].sort(), ['Pending', 'Pending', 'Pending', 'Pending', 'Running'])
  assert.match(server.requests.at(-1)!, /allowWatchBookmarks=true&timeoutSeconds=\d{3}$/)
})

test('informer: goes on where it was when a watch ends or breaks, without a new list', async () => {
  await using server = await FakeKubernetes.start()
  await using run = await setup(server)
  await run.cache.synced
  for (const [name, end] of [
    ['a', () => server.endWatches()],
    ['b', () => server.cut()],
    ['c', () => (server.send('{"type":"ADDED"'), server.cut())],
    ['d', () => server.send('nonsense\n')],
  ] as const) {
    await untilSeen(() => server.watches === 1)
    end()
    server.put('pods', pod(name), { silently: true })
    assert.deepEqual(await run.take(1), [`added ns/${name}`])
  }
  assert.equal(server.requests.filter((line) => !line.includes('watch=')).length, 1)
})

test('informer: a watch that is too old is a new list, told as changes', async () => {
  await using server = await FakeKubernetes.start()
  for (const name of ['a', 'b', 'c']) server.put('pods', pod(name, 'Pending'))
  await using run = await setup(server)
  await run.take(3)
  await untilSeen(() => server.watches === 1)
  server.put('pods', pod('a', 'Running'), { silently: true })
  server.remove('pods', pod('b').metadata, { silently: true })
  server.put('pods', pod('d', 'Pending'), { silently: true })
  server.compact()
  server.cut()
  assert.deepEqual((await run.take(3)).sort(), [
    'added ns/d Pending',
    'changed ns/a Pending -> Running',
    'removed ns/b Pending',
  ])
})

test('informer: bookmarks keep a quiet watch young', async () => {
  await using server = await FakeKubernetes.start()
  await using run = await setup(server)
  await untilSeen(() => server.watches === 1)
  server.compact()
  server.bookmark()
  server.put('pods', pod('z'))
  await run.take(1)
  server.endWatches()
  await untilSeen(() => server.watches === 1)
  server.put('pods', pod('a'))
  assert.deepEqual(await run.take(1), ['added ns/a'])
  assert.equal(server.requests.filter((line) => !line.includes('watch=')).length, 1)
})

test('informer: a page that is too old starts the list anew', async () => {
  await using server = await FakeKubernetes.start()
  for (const name of ['a', 'b', 'c']) server.put('pods', pod(name))
  server.intercept = (request, response) => {
    if (!request.url?.includes('continue=')) return false
    response.writeHead(410).end(JSON.stringify({ kind: 'Status', code: 410, reason: 'Expired', message: 'too old' }))
    return true
  }
  await using run = await setup(server, { pageSize: 2 })
  await run.cache.synced
  assert.equal(run.cache.size, 3)
  assert.equal((await run.take(3)).length, 3)
})

test('informer: waits for a server that is away', async () => {
  const server = await FakeKubernetes.start()
  const { port } = server
  await server.stop()
  await using run = await setup(server)
  await new Promise((resolve) => setTimeout(resolve, 30))
  assert.equal(run.cache.isSynced, false)
  server.put('pods', pod('a'))
  await server.listen(port)
  await run.cache.synced
  await untilSeen(() => server.watches === 1)
  await server.stop()
  server.put('pods', pod('b'))
  await server.listen(port)
  assert.deepEqual(await run.take(2), ['added ns/a', 'added ns/b'])
  await server.stop()
})

test('informer: versions that are equal to the listener are no change', async () => {
  await using server = await FakeKubernetes.start()
  await using run = await setup(server, { equal: (a, b) => a === b })
  await untilSeen(() => server.watches === 1)
  server.put('pods', pod('a', 'Running'))
  server.put('pods', pod('a', 'Running'))
  server.put('pods', pod('a', 'Failed'))
  assert.deepEqual(await run.take(2), ['added ns/a Running', 'changed ns/a Running -> Failed'])
})

test('informer: synced rejects when it is stopped before', async () => {
  await using server = await FakeKubernetes.start()
  server.intercept = () => true
  const controller = new AbortController()
  const client = connect({ server: server.url })
  const cache = informer(client, pods, { signal: controller.signal, log: silentLog })
  controller.abort(new Error('enough'))
  await assert.rejects(cache.synced, /enough/)
  client.close()
})
