// All controllers together, against a server in memory: what nodes, namespaces and servers do to them.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Deployment, deployments, replicaSets } from '#api/apps.ts'
import { leases } from '#api/coordination.ts'
import {
  type Node,
  configMaps,
  endpoints,
  events,
  namespaces,
  nodes,
  pods,
  serviceAccounts,
  services,
} from '#api/core.ts'
import { endpointSlices } from '#api/discovery.ts'
import { alive, controllersInMemory, inDefault, makeReady, merge, nodeNamed, web } from '#test/controllers-in-memory.ts'
import { at } from '#test/stored-objects.ts'

test('a node falls silent: its pods leave the endpoints, and later go', async (t) => {
  const c = await controllersInMemory(t)
  const { client, clock, settle } = c
  const renew = async (names: readonly string[], seconds: number) => {
    for (const name of names)
      client.seed(leases, { metadata: { name, namespace: 'kube-node-lease' }, spec: { renewTime: at(seconds) } })
    await settle()
  }
  await renew(['node-1', 'node-2', 'node-3'], 0)
  const tolerations = [
    { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 30 },
  ]
  const spec = web().spec!
  await client.create(
    deployments,
    web({ template: { ...spec.template, spec: { ...spec.template.spec!, tolerations } } }),
  )
  await client.create(services, {
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      clusterIP: '10.96.0.9',
      ipFamilies: ['IPv4'],
      selector: { app: 'web' },
      ports: [{ port: 80, protocol: 'TCP' }],
    },
  })
  await settle()
  await makeReady(c)
  await settle()
  const readyNodes = () =>
    client
      .all(endpointSlices)[0]
      ?.endpoints?.filter(({ conditions }) => conditions?.ready)
      .map(({ nodeName }) => nodeName)
      .sort()
  assert.deepEqual(readyNodes(), ['node-1', 'node-2', 'node-3'])
  for (let seconds = 10; seconds <= 60; seconds += 10) {
    await clock.advance(10_000)
    await renew(['node-1', 'node-2'], seconds)
  }
  assert.deepEqual(readyNodes(), ['node-1', 'node-2'])
  const lost = client.all(nodes).find(({ metadata }) => metadata?.name === 'node-3')
  assert.equal(lost?.status?.conditions?.[0]?.status, 'Unknown')
  assert.deepEqual(
    lost?.spec?.taints?.map(({ key, effect }) => `${key}:${effect}`),
    ['node.kubernetes.io/unreachable:NoSchedule', 'node.kubernetes.io/unreachable:NoExecute'],
  )
  for (let seconds = 70; seconds <= 100; seconds += 10) {
    await clock.advance(10_000)
    await renew(['node-1', 'node-2'], seconds)
  }
  assert.equal(alive(client).length, 3)
  assert.ok(
    alive(client).every(({ spec }) => spec?.nodeName !== 'node-3'),
    'replaced on the others',
  )
  const back = {
    ...nodeNamed('node-3', 'True').status!,
    conditions: [{ type: 'Ready', status: 'True', lastHeartbeatTime: at(100) }],
  }
  await client.patch(nodes, 'node-3', { status: back } as Node, { type: 'merge', subresource: 'status' })
  await settle()
  assert.equal(client.all(nodes).find(({ metadata }) => metadata?.name === 'node-3')?.spec?.taints, undefined)
})

test('pod CIDRs, accounts and bundles', async (t) => {
  const { client, settle } = await controllersInMemory(t)
  assert.deepEqual(
    client.all(nodes).map(({ spec }) => spec?.podCIDR),
    ['10.244.0.0/24', '10.244.1.0/24', '10.244.2.0/24'],
  )
  await client.create(namespaces, { metadata: { name: 'shop' } })
  await settle()
  assert.deepEqual(
    client.all(serviceAccounts).map(({ metadata }) => metadata?.namespace),
    ['default', 'shop'],
  )
  assert.deepEqual(
    client.all(configMaps).map(({ data }) => data?.['ca.crt']),
    ['PEM', 'PEM'],
  )
  await client.delete(configMaps, 'kube-root-ca.crt', inDefault)
  await settle()
  assert.equal(client.all(configMaps).length, 2)
})

test('a namespace goes when its pods have ended', async (t) => {
  const c = await controllersInMemory(t)
  const { client, settle } = c
  await client.create(namespaces, { metadata: { name: 'shop' } })
  await client.create(pods, { metadata: { name: 'a', namespace: 'shop' }, spec: { containers: [] } })
  await client.create(configMaps, { metadata: { name: 'm', namespace: 'shop' } })
  await settle()
  await client.delete(namespaces, 'shop')
  await settle()
  const [, shop] = client.all(namespaces)
  assert.equal(shop?.status?.phase, 'Terminating')
  const remaining = shop?.status?.conditions?.find(({ type }) => type === 'NamespaceContentRemaining')
  assert.equal(remaining?.message, 'Some resources are remaining: pods. has 1 resource instances')
  assert.ok(
    client.all(configMaps).some(({ metadata }) => metadata?.name === 'm'),
    'pods first',
  )
  await client.delete(pods, 'a', { namespace: 'shop', gracePeriodSeconds: 0 })
  await settle()
  assert.equal(client.all(namespaces).length, 1)
  assert.ok(client.all(configMaps).every(({ metadata }) => metadata?.namespace === 'default'))
})

test('a pod that fits nowhere says why, and is placed as soon as it fits', async (t) => {
  const { client, settle } = await controllersInMemory(t, { nodeCount: 1 })
  await client.create(pods, {
    metadata: { name: 'p', namespace: 'default' },
    spec: { containers: [], nodeSelector: { disk: 'ssd' } },
  })
  await settle()
  const message = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."
  const [condition] = client.all(pods)[0]?.status?.conditions ?? []
  assert.deepEqual(
    [condition?.type, condition?.status, condition?.reason, condition?.message],
    ['PodScheduled', 'False', 'Unschedulable', message],
  )
  assert.equal(client.all(events).find(({ reason }) => reason === 'FailedScheduling')?.message, message)
  await client.patch(nodes, 'node-1', { metadata: { labels: { disk: 'ssd' } } } as Node, { type: 'merge' })
  await settle()
  assert.equal(client.all(pods)[0]?.spec?.nodeName, 'node-1')
})

test('Endpoints that people write are mirrored', async (t) => {
  const { client, settle } = await controllersInMemory(t)
  await client.create(services, {
    metadata: { name: 'db', namespace: 'default' },
    spec: { clusterIP: '10.96.0.9', ports: [{ port: 5432 }] },
  })
  const subsets = [{ addresses: [{ ip: '192.0.2.1' }], ports: [{ port: 5432 }] }]
  await client.create(endpoints, { metadata: { name: 'db', namespace: 'default' }, subsets })
  await settle()
  const [slice] = client.all(endpointSlices)
  assert.equal(
    slice?.metadata?.labels?.['endpointslice.kubernetes.io/managed-by'],
    'endpointslicemirroring-controller.k8s.io',
  )
  await client.delete(endpoints, 'db', inDefault)
  await settle()
  assert.equal(client.all(endpointSlices).length, 0)
})

test('a server that refuses for a while', async (t) => {
  const c = await controllersInMemory(t)
  const { client, clock, settle } = c
  let refusals = 3
  client.intercept = (request) => {
    if (request.startsWith('create pods ') && refusals-- > 0) throw new Error('quota exceeded')
  }
  await client.create(deployments, web())
  await settle()
  const set = client.all(replicaSets)[0]
  assert.equal(set?.status?.conditions?.[0]?.reason, 'FailedCreate')
  await clock.advance(10_000)
  await settle()
  assert.equal(client.all(pods).length, 3)
  assert.equal(client.all(replicaSets)[0]?.status?.conditions, undefined)
  client.cut()
  client.compact()
  await clock.advance(20_000)
  await client.patch(deployments, 'web', { spec: { replicas: 5 } } as Deployment, merge)
  await settle()
  assert.equal(client.all(pods).length, 5, 'watches come back')
})

test('all nodes fall silent at once: nobody is evicted', async (t) => {
  const c = await controllersInMemory(t)
  const { client, clock, settle } = c
  await client.create(deployments, web())
  await settle()
  await makeReady(c)
  await clock.advance(120_000)
  await settle()
  assert.equal(alive(client).length, 3)
  assert.ok(client.all(nodes).every(({ spec }) => spec?.taints?.every(({ effect }) => effect === 'NoSchedule')))
})
