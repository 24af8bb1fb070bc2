import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { pods, services } from '#api/core.ts'
import { type EndpointSlice, endpointSlices } from '#api/discovery.ts'
import { ApiError, connect, isAlreadyExists, isConflict, isNotFound, type WatchEvent } from '#client/client.ts'
import { ConnectionError } from '#client/transport.ts'
import { FakeKubernetes } from '#test/fake-kubernetes.ts'
import { until } from '#test/until.ts'

const pod = (name: string) => ({ metadata: { name, namespace: 'default' } })

test('client: objects are created, read, changed and deleted', async () => {
  await using server = await FakeKubernetes.start()
  const client = connect({ server: `${server.url}/` })
  const created = await client.create(pods, pod('a'), { fieldManager: 'test', dryRun: true })
  assert.deepEqual(server.requests.at(-1), 'POST /api/v1/namespaces/default/pods?dryRun=All&fieldManager=test')
  assert.equal((created as { kind?: string }).kind, 'Pod')
  const read = await client.get(pods, 'a', { namespace: 'default' })
  await client.update(pods, { ...read, metadata: { ...read.metadata, labels: { x: 'y' } } })
  await client.update(pods, { ...pod('a'), status: { phase: 'Running' } }, { subresource: 'status' })
  assert.equal(server.requests.at(-1), 'PUT /api/v1/namespaces/default/pods/a/status')
  await client.patch(pods, 'a', { spec: { nodeName: 'n' } }, { type: 'merge', namespace: 'default' })
  const { items } = await client.list(pods, { namespace: 'default', labelSelector: 'x in (y)' })
  assert.equal(server.requests.at(-1), 'GET /api/v1/namespaces/default/pods?labelSelector=x+in+%28y%29')
  assert.deepEqual(
    items.map((item) => item.spec?.nodeName),
    ['n'],
  )
  await client.delete(pods, 'a', { namespace: 'default', gracePeriodSeconds: 0 })
  await assert.rejects(client.get(pods, 'a', { namespace: 'default' }), isNotFound)
  client.close()
})

test('client: a list that is null is one without anything', async () => {
  await using server = await FakeKubernetes.start()
  const client = connect({ server: server.url })
  // as kube-apiserver has them: the slice of `kubernetes` when the last API server ends
  const slice = { metadata: { name: 'kubernetes', namespace: 'default' }, addressType: 'IPv4', endpoints: null }
  server.put('endpointslices', slice)
  const { endpoints, addressType } = await client.get(endpointSlices, 'kubernetes', { namespace: 'default' })
  assert.deepEqual([endpoints, addressType], [undefined, 'IPv4'])
  const list = await client.list(endpointSlices)
  assert.deepEqual(
    list.items.map((item) => item.endpoints),
    [undefined],
  )
  const controller = new AbortController()
  const options = { resourceVersion: list.metadata.resourceVersion, signal: controller.signal }
  const watch = client.watch(endpointSlices, options)[Symbol.asyncIterator]()
  const next = watch.next()
  await until(() => assert.ok(server.requests.at(-1)?.includes('watch=true')))
  server.put('endpointslices', { ...slice, ports: null })
  const { object } = (await next).value as WatchEvent<EndpointSlice>
  assert.deepEqual([object.ports, object.endpoints], [undefined, undefined])
  controller.abort()
  server.intercept = (_, response) => {
    response.end('{"kind":"EndpointSliceList","metadata":{},"items":null}')
    return true
  }
  assert.deepEqual((await client.list(endpointSlices)).items, [])
  client.close()
})

test('client: what the server refuses', async () => {
  await using server = await FakeKubernetes.start()
  const client = connect({ server: server.url })
  const created = await client.create(pods, pod('a'))
  await assert.rejects(client.create(pods, pod('a')), isAlreadyExists)
  await client.update(pods, created)
  await assert.rejects(client.update(pods, created), (error: ApiError) => {
    assert.equal(error.message, 'the object has been modified')
    return isConflict(error) && error.httpStatus === 409 && error.code === 'ApiError'
  })
  server.intercept = (_, response) => {
    response.writeHead(502).end('<html>bad gateway')
    return true
  }
  await assert.rejects(client.list(pods), (error: ApiError) => {
    assert.deepEqual([error.httpStatus, error.message], [502, '<html>bad gateway'])
    return error instanceof ApiError
  })
  client.close()
})

test('client: an answer with Retry-After is asked for again', async () => {
  await using server = await FakeKubernetes.start()
  const client = connect({ server: server.url })
  let busy = 2
  server.intercept = (_, response) => {
    if (busy-- <= 0) return false
    response.writeHead(429, { 'retry-after': '0' }).end('later')
    return true
  }
  assert.deepEqual((await client.list(services)).items, [])
  assert.equal(server.requests.length, 3)
  client.close()
})

test('client: connections that are not there, break off, or are closed between two requests', async () => {
  const server = await FakeKubernetes.start()
  const client = connect({ server: server.url })
  await client.list(pods)
  server.cut()
  await client.list(pods)
  server.intercept = (_, response) => {
    response.writeHead(200, { 'content-length': '100' }).write('{"items":')
    setTimeout(() => response.destroy(), 5)
    return true
  }
  await assert.rejects(client.list(pods), ConnectionError)
  server.intercept = (_, response) => {
    response.end('no JSON')
    return true
  }
  await assert.rejects(client.list(pods), /GET \/api\/v1\/pods: the answer is not JSON/)
  await server.stop()
  await assert.rejects(client.list(pods), (error: ConnectionError) => {
    assert.match(error.message, /^GET http:\/\/127\.0\.0\.1:\d+\/api\/v1\/pods: connect ECONNREFUSED/)
    return error.code === 'ConnectionError'
  })
  const aborted = AbortSignal.abort(new Error('enough'))
  await assert.rejects(client.list(pods, { signal: aborted }), /enough/)
  client.close()
})

test('client: a watch reads lines however they are cut up', async () => {
  await using server = await FakeKubernetes.start()
  const client = connect({ server: server.url })
  const controller = new AbortController()
  const event = (name: string) => `${JSON.stringify({ type: 'ADDED', object: pod(name) })}\n`
  const long = 'ü'.repeat(300_000)
  const bytes = Buffer.from(event('a') + event('b') + event('c') + event(long) + event('d'))
  server.intercept = (_, response) => {
    response.writeHead(200).flushHeaders()
    void (async () => {
      // Slowly at first: single bytes, also of characters that have two.
      let at = 0
      for (; at < 90; at++) await new Promise((next) => response.write(bytes.subarray(at, at + 1), next))
      for (; at < bytes.length; at += 7001)
        await new Promise((next) => response.write(bytes.subarray(at, at + 7001), next))
    })()
    return true
  }
  const names: (string | undefined)[] = []
  for await (const { type, object } of client.watch(pods, { signal: controller.signal, timeoutSeconds: 9 })) {
    assert.equal(type, 'ADDED')
    if (names.push(object.metadata?.name) === 5) controller.abort()
  }
  assert.deepEqual(names, ['a', 'b', 'c', long, 'd'])
  assert.equal(server.requests[0], 'GET /api/v1/pods?watch=true&timeoutSeconds=9')
  client.close()
})

test('client: the ways in which a watch ends', async () => {
  await using server = await FakeKubernetes.start()
  const client = connect({ server: server.url })
  const { signal } = new AbortController()
  const read = async (resourceVersion = '1') => {
    const types: string[] = []
    for await (const { type } of client.watch(pods, { signal, resourceVersion })) types.push(type)
    return types.join()
  }
  server.put('pods', pod('a'))
  const onceWatched = (act: () => void) => void until(() => assert.equal(server.watches, 1)).then(act)
  onceWatched(() => server.endWatches())
  assert.equal(await read(), 'ADDED')
  onceWatched(() => {
    server.send('{"type":"ADDED","obj')
    setTimeout(() => server.cut(), 5)
  })
  await assert.rejects(read(), ConnectionError)
  onceWatched(() => server.send('half a line\n'))
  await assert.rejects(read(), /the answer is not JSON/)
  server.compact()
  await assert.rejects(read(), (error: ApiError) => error.httpStatus === 410)
  client.close()
})
