import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ApiObject } from '#api/meta.ts'
import { bookOf } from '#apiserver/allocate/load.ts'
import { startAllocation } from '#apiserver/allocate/start.ts'
import { kinds } from '#apiserver/kinds.ts'
import { createTestServer } from '#test/api-server.ts'

const servicesUrl = '/api/v1/namespaces/default/services'
const ipsUrl = '/apis/networking.k8s.io/v1/ipaddresses'
const rangesUrl = '/apis/networking.k8s.io/v1/servicecidrs'

async function prepared(ranges = ['10.0.0.0/29', 'fd00::/120']) {
  const api = createTestServer({
    kinds: (objects) => kinds({ serviceClusterIpRanges: ranges, serviceNodePortRange: '30000-30001', objects }),
  })
  await api.request('POST', '/api/v1/namespaces', { body: { metadata: { name: 'default' } } })
  return api
}
type Api = Awaited<ReturnType<typeof prepared>>

const serviceOf = (name: string, spec: object = {}) => ({
  metadata: { name },
  spec: { ports: [{ port: 80 }], ...spec },
})

async function make(api: Api, name: string, spec: object = {}) {
  const reply = await api.request('POST', servicesUrl, { body: serviceOf(name, spec) })
  assert.equal(reply.code, 201, reply.text)
  return reply.body
}

async function claimsOf(api: Api): Promise<string[]> {
  const { body } = await api.request('GET', ipsUrl)
  return (body.items as ApiObject[]).map((item) => item.metadata?.name ?? '')
}

test('claims: each address of a Service has an IPAddress for as long as it is held', async () => {
  await using api = await prepared()
  await make(api, 'a', {
    ipFamilyPolicy: 'RequireDualStack',
    clusterIP: '10.0.0.3',
    clusterIPs: ['10.0.0.3', 'fd00::7'],
  })
  await make(api, 'headless', { clusterIP: 'None' })
  assert.deepEqual(await claimsOf(api), ['10.0.0.3', 'fd00::7'])
  const { body } = await api.request('GET', `${ipsUrl}/fd00::7`)
  assert.deepEqual(body.spec.parentRef, { resource: 'services', namespace: 'default', name: 'a' })
  assert.deepEqual(body.metadata.labels, {
    'ipaddress.kubernetes.io/ip-family': 'IPv6',
    'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io',
  })
  const headers = { 'content-type': 'application/merge-patch+json' }
  await api.request('PATCH', `${servicesUrl}/a`, { body: { spec: { ipFamilyPolicy: 'SingleStack' } }, headers })
  assert.deepEqual(await claimsOf(api), ['10.0.0.3'])
  await api.request('DELETE', `${servicesUrl}/a`)
  assert.deepEqual(await claimsOf(api), [])
})

test('claims: a refused Service and a dry run leave none', async () => {
  await using api = await prepared()
  const bad = { selector: { 'a b': 'c' } }
  assert.equal((await api.request('POST', servicesUrl, { body: serviceOf('a', bad) })).code, 422)
  assert.equal((await api.request('POST', `${servicesUrl}?dryRun=All`, { body: serviceOf('a') })).code, 201)
  assert.deepEqual(await claimsOf(api), [])
})

test("claims: someone else's IPAddress is not given away", async () => {
  await using api = await prepared()
  for (let last = 1; last <= 5; last++) {
    const body = {
      metadata: { name: `10.0.0.${last}` },
      spec: {
        parentRef: { group: 'gateway.networking.k8s.io', resource: 'gateways', namespace: 'default', name: 'g' },
      },
    }
    assert.equal((await api.request('POST', ipsUrl, { body })).code, 201)
  }
  const { code, body } = await api.request('POST', servicesUrl, { body: serviceOf('a', { clusterIP: '10.0.0.1' }) })
  assert.equal(code, 422)
  assert.match(body.message, /failed to allocate IP 10\.0\.0\.1: provided IP is already allocated$/)
  assert.equal((await make(api, 'b')).spec.clusterIP, '10.0.0.6')
  assert.equal((await api.request('POST', servicesUrl, { body: serviceOf('c') })).code, 500)
})

test('claims: of many at once each gets its own address, and no more than there are', async () => {
  await using api = await prepared()
  const names = Array.from({ length: 20 }, (_, at) => `s${at}`)
  const replies = await Promise.all(names.map((name) => api.request('POST', servicesUrl, { body: serviceOf(name) })))
  const given = replies.filter(({ code }) => code === 201).map(({ body }) => body.spec.clusterIP as string)
  assert.equal(given.length, 6)
  assert.deepEqual(await claimsOf(api), given.toSorted())
  assert.deepEqual([...new Set(replies.map(({ code }) => code))].toSorted(), [201, 500])
})

test('claims: a server that begins mends what a crash left', async () => {
  await using api = await prepared()
  await make(api, 'a', { clusterIP: '10.0.0.3' })
  await api.request('DELETE', `${ipsUrl}/10.0.0.3`)
  const orphan = {
    metadata: { name: '10.0.0.4', labels: { 'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io' } },
    spec: { parentRef: { resource: 'services', namespace: 'default', name: 'gone' } },
  }
  await api.request('POST', ipsUrl, { body: orphan })
  const cidrs = ['10.0.0.0/29', 'fd00::/120']
  await startAllocation(api.engine.objects, cidrs, api.clock.now())
  assert.deepEqual(await claimsOf(api), ['10.0.0.3', '10.0.0.4'], 'it may be of a Service that is about to be stored')
  await startAllocation(api.engine.objects, cidrs, api.clock.now() + 61_000)
  assert.deepEqual(await claimsOf(api), ['10.0.0.3'])
  const { body } = await api.request('GET', `${rangesUrl}/kubernetes`)
  assert.deepEqual(body.spec.cidrs, cidrs)
  assert.equal(body.status.conditions[0].status, 'True')
})

test('claims: before it refuses, a server looks what others have given back', async () => {
  await using api = await prepared()
  const port = { type: 'NodePort', ports: [{ port: 80, nodePort: 30000 }] }
  await make(api, 'a', { ...port, clusterIP: '10.0.0.3' })
  const setting = { serviceClusterIpRanges: ['10.0.0.0/29'], serviceNodePortRange: '30000-30001' }
  const other = bookOf({ ...setting, objects: api.engine.objects })
  const seen = await other.open()
  assert.deepEqual([seen.hasAddress('10.0.0.3'), seen.ports.has(30000)], [true, true])
  await api.request('DELETE', `${servicesUrl}/a`)
  const now = await other.look()
  assert.deepEqual([now.hasAddress('10.0.0.3'), now.ports.has(30000)], [false, false])
})

test('ranges: a ServiceCIDR that is ready is used, one that is not or that goes is not', async () => {
  await using api = await prepared(['10.0.0.0/30'])
  const add = async (name: string, cidr: string, ready: boolean) => {
    const made = await api.request('POST', rangesUrl, { body: { metadata: { name }, spec: { cidrs: [cidr] } } })
    assert.equal(made.code, 201, made.text)
    const conditions = [
      { type: 'Ready', status: 'True', reason: '', message: '', lastTransitionTime: '2026-11-21T00:00:00Z' },
    ]
    if (ready)
      await api.request('PUT', `${rangesUrl}/${name}/status`, { body: { ...made.body, status: { conditions } } })
  }
  await add('kubernetes', '10.0.0.0/30', true)
  await add('late', '10.9.0.0/30', false)
  await make(api, 'a')
  await make(api, 'b')
  assert.equal((await api.request('POST', servicesUrl, { body: serviceOf('c') })).code, 500)
  await add('more', '10.8.0.0/30', true)
  assert.match((await make(api, 'c')).spec.clusterIP, /^10\.8\.0\.[12]$/)
  await api.request('DELETE', `${rangesUrl}/more`)
  const { body } = await api.request('POST', servicesUrl, { body: serviceOf('d', { clusterIP: '10.8.0.2' }) })
  assert.match(body.message, /the provided network does not match the current range$/)
})
