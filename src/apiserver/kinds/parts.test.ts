// Subresources of which a write changes one part of an object and leaves the rest.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { kinds } from '#apiserver/kinds.ts'
import { createTestServer, type Reply, type TestServer } from '#test/api-server.ts'

const pods = '/api/v1/namespaces/default/pods'
const strategic = { 'content-type': 'application/strategic-merge-patch+json' }

async function start(): Promise<TestServer> {
  const setting = { serviceClusterIpRanges: ['10.96.0.0/12'], serviceNodePortRange: '30000-32767' }
  const api = createTestServer({ kinds: (objects) => kinds({ ...setting, objects }) })
  await api.request('POST', '/api/v1/namespaces', { body: { metadata: { name: 'default' } } })
  await api.request('POST', '/api/v1/namespaces/default/serviceaccounts', { body: { metadata: { name: 'default' } } })
  const spec = { nodeName: 'n', containers: [{ name: 'c', image: 'i' }] }
  const made = await api.request('POST', pods, { body: { metadata: { name: 'p' }, spec } })
  assert.equal(made.code, 201, made.text)
  return api
}
const containers = (...names: string[]) => ({
  spec: { ephemeralContainers: names.map((name) => ({ name, image: 'i' })) },
})

test('kubectl debug adds containers, and only adds them', async () => {
  await using api = await start()
  const url = `${pods}/p/ephemeralcontainers`
  const debug = (body: unknown, query = '') => api.request('PATCH', `${url}${query}`, { body, headers: strategic })
  const names = ({ body }: Reply) => body.spec.ephemeralContainers?.map(({ name }: { name: string }) => name).toSorted()
  const first = await debug({ ...containers('a'), metadata: { labels: { x: 'y' } } }, '?fieldManager=kubectl-debug')
  assert.deepEqual([first.code, names(first)], [200, ['a']], first.text)
  assert.equal(first.body.spec.ephemeralContainers[0].terminationMessagePath, '/dev/termination-log')
  assert.equal(first.body.metadata.generation, 2)
  assert.equal(first.body.metadata.labels, undefined)
  const [record] = first.body.metadata.managedFields.filter(
    ({ subresource }: { subresource?: string }) => subresource === 'ephemeralcontainers',
  )
  assert.equal(record.manager, 'kubectl-debug')
  assert.deepEqual(Object.keys(record.fieldsV1), ['f:spec'])
  assert.deepEqual(names(await debug(containers('b'), '?dryRun=All')), ['a', 'b'])
  assert.deepEqual(names(await debug(containers('b'))), ['a', 'b'])
  assert.deepEqual(names(await api.request('GET', url)), ['a', 'b'])
  const removed = await debug({ spec: { ephemeralContainers: null } })
  assert.equal(removed.code, 422)
  assert.match(removed.body.message, /existing ephemeral containers "a" may not be removed/)
  const changed = await debug({ spec: { ephemeralContainers: [{ name: 'a', image: 'other' }] } })
  assert.match(changed.body.message, /existing ephemeral containers "a" may not be changed/)
  assert.match((await debug(containers('c'))).body.message, /spec.ephemeralContainers\[0\].name: Duplicate value: "c"/)
})

test('a PUT says which version it has seen', async () => {
  await using api = await start()
  const { body: seen } = await api.request('GET', `${pods}/p`)
  const put = (names: string[]) =>
    api.request('PUT', `${pods}/p/ephemeralcontainers`, {
      body: { ...seen, spec: { ...seen.spec, ...containers(...names).spec } },
    })
  assert.equal((await put(['a'])).code, 200)
  assert.deepEqual([(await put(['b'])).code, (await put(['b'])).body.reason], [409, 'Conflict'])
})

test('approval and finalize', async () => {
  await using api = await start()
  const request = btoa('-----BEGIN CERTIFICATE REQUEST-----')
  const spec = { request, signerName: 'example.com/s', usages: ['client auth'] }
  const url = '/apis/certificates.k8s.io/v1/certificatesigningrequests'
  await api.request('POST', url, { body: { metadata: { name: 'r' }, spec } })
  const status = { conditions: [{ type: 'Approved', status: 'True' }], certificate: btoa('forged') }
  const approved = await api.request('PATCH', `${url}/r/approval`, {
    body: { status },
    headers: { 'content-type': 'application/merge-patch+json' },
  })
  assert.equal(approved.code, 200, approved.text)
  assert.equal(approved.body.status.conditions[0].type, 'Approved')
  assert.equal(approved.body.status.certificate, undefined)
  await api.request('POST', '/api/v1/namespaces', { body: { metadata: { name: 'x' } } })
  const { body: x } = await api.request('GET', '/api/v1/namespaces/x')
  const finalized = await api.request('PUT', '/api/v1/namespaces/x/finalize', {
    body: { ...x, metadata: { ...x.metadata, labels: { a: 'b' } }, spec: { finalizers: ['example.com/mine'] } },
  })
  assert.deepEqual(finalized.body.spec, { finalizers: ['example.com/mine'] }, finalized.text)
  assert.equal(finalized.body.metadata.labels.a, undefined)
  const wrong = await api.request('PUT', '/api/v1/namespaces/x/finalize', {
    body: { metadata: { name: 'x' }, spec: { finalizers: ['nonsense'] } },
  })
  assert.equal(wrong.code, 422)
})
