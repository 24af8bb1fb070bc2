// All controllers together, against a server in memory: what users do and what comes of it.
import * as assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type Deployment, controllerRevisions, daemonSets, deployments, replicaSets, statefulSets } from '#api/apps.ts'
import { jobs } from '#api/batch.ts'
import { leases } from '#api/coordination.ts'
import {
  type Endpoints,
  type Node,
  type Pod,
  configMaps,
  endpoints,
  events,
  namespaces,
  nodes,
  persistentVolumeClaims,
  pods,
  replicationControllers,
  serviceAccounts,
  services,
} from '#api/core.ts'
import { endpointSlices } from '#api/discovery.ts'
import { type FakeClient, fakeClient } from '#client/fake.ts'
import { run } from '#controllers/main.ts'
import { type FakeClock, fakeClock } from '#daemon/clock.ts'
import { silentLog } from '#daemon/log.ts'
import { createRegistry } from '#daemon/metrics.ts'
import { at, epochMs } from '#test/stored-objects.ts'

const resources = [
  pods,
  services,
  endpoints,
  nodes,
  namespaces,
  configMaps,
  serviceAccounts,
  persistentVolumeClaims,
  replicationControllers,
  events,
  deployments,
  replicaSets,
  statefulSets,
  daemonSets,
  controllerRevisions,
  endpointSlices,
  leases,
  jobs,
]
const inDefault = { namespace: 'default' }
const merge = { type: 'merge', ...inDefault } as const

type Cluster = {
  readonly client: FakeClient
  readonly clock: FakeClock
  /** Waits until `check` passes; time does not go on by itself. */
  until(check: () => boolean, what?: string): Promise<void>
  /** Lets everything happen that can without time. */
  settle(): Promise<void>
}

async function cluster(
  t: TestContext,
  { nodeCount = 3, controllers = ['*'] as readonly string[] } = {},
): Promise<Cluster> {
  const clock = fakeClock(epochMs)
  const client = fakeClient({ clock, resources })
  const stop = new AbortController()
  client.seed(namespaces, {
    metadata: { name: 'default' },
    spec: { finalizers: ['kubernetes'] },
    status: { phase: 'Active' },
  } as never)
  for (let i = 1; i <= nodeCount; i++) client.seed(nodes, nodeNamed(`node-${i}`, 'True'))
  const settings = {
    controllers,
    clusterCidr: ['10.244.0.0/16'],
    nodeCidrMaskSize: 0,
    allocateNodeCidrs: true,
    nodeMonitorGracePeriod: 50_000,
    nodeStartupGracePeriod: 60_000,
    terminatedPodGcThreshold: 100,
    maxEndpointsPerSlice: 100,
    leaderElect: false,
    leaderElectLeaseDuration: 15_000,
    controllersHealthAddress: undefined,
    rootCa: 'PEM',
  }
  const running = run(
    { client, ...settings },
    { signal: stop.signal, log: silentLog, clock, registry: createRegistry() },
  )
  t.after(async () => {
    stop.abort()
    await running
  })
  const turn = () => new Promise((resolve) => setImmediate(resolve))
  const until = async (check: () => boolean, what = String(check)) => {
    for (let i = 0; i < 2000; i++) {
      if (check()) return
      await turn()
    }
    assert.fail(`never: ${what}`)
  }
  const settle = async () => {
    for (let quiet = 0, seen = -1; quiet < 30; await turn()) {
      const count = client.writes.length
      quiet = count === seen ? quiet + 1 : 0
      seen = count
    }
  }
  await settle()
  return { client, clock, until, settle }
}

const nodeNamed = (name: string, ready: string): Node => ({
  metadata: { name, labels: { 'kubernetes.io/hostname': name } },
  spec: {},
  status: {
    allocatable: { cpu: '4', memory: '8Gi', pods: '110' },
    conditions: [{ type: 'Ready', status: ready, lastHeartbeatTime: at(0) }],
  },
})

const web = (more: Partial<Deployment['spec']> = {}, image = 'v1'): Deployment => ({
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    replicas: 3,
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: { containers: [{ name: 'c', image, ports: [{ name: 'http', containerPort: 9376, protocol: 'TCP' }] }] },
    },
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
    progressDeadlineSeconds: 600,
    revisionHistoryLimit: 10,
    ...more,
  },
})

const alive = (client: FakeClient) =>
  client.all(pods).filter(({ metadata }) => metadata?.deletionTimestamp === undefined)

/** What the kubelet would say of each pod that has a node. */
async function makeReady({ client }: Cluster, count = Infinity): Promise<void> {
  let n = 0
  for (const pod of client.all(pods)) {
    const [, , last] = (pod.spec?.nodeName ?? '').split('-')
    const isReady = pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True')
    if (!pod.spec?.nodeName || isReady || pod.metadata?.deletionTimestamp || n++ >= count) continue
    const ip = `10.244.${last ?? 0}.${++addresses}`
    const ready = { type: 'Ready', status: 'True', lastTransitionTime: at(1) }
    const status = { phase: 'Running', podIP: ip, podIPs: [{ ip }], conditions: [ready] }
    await client.patch(pods, pod.metadata!.name!, { status } as Pod, { ...merge, subresource: 'status' })
  }
}
let addresses = 1

/** The kubelet lets pods on their way out end. */
async function endPods({ client }: Cluster): Promise<void> {
  for (const { metadata } of client.all(pods))
    if (metadata?.deletionTimestamp) await client.delete(pods, metadata.name!, { ...inDefault, gracePeriodSeconds: 0 })
}

test('a Deployment becomes pods on nodes, then endpoints', async (t) => {
  const c = await cluster(t)
  const { client, until, settle } = c
  await client.create(services, {
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      clusterIP: '10.96.0.9',
      ipFamilies: ['IPv4'],
      selector: { app: 'web' },
      ports: [{ port: 80, protocol: 'TCP', targetPort: 'http' }],
    },
  })
  await settle()
  assert.equal(client.all(endpointSlices)[0]?.endpoints?.length, 0, 'a slice without endpoints')
  const before = client.writes.length
  await client.create(deployments, web())
  await until(() => client.all(pods).filter(({ spec }) => spec?.nodeName).length === 3)
  assert.deepEqual(
    client
      .all(pods)
      .map(({ spec }) => spec?.nodeName)
      .sort(),
    ['node-1', 'node-2', 'node-3'],
  )
  await settle()
  const [deployment] = client.all(deployments)
  assert.equal(deployment?.status?.unavailableReplicas, 3)
  assert.equal(deployment?.metadata?.annotations?.['deployment.kubernetes.io/revision'], '1')
  const writes = client.writes.slice(before).filter((write) => !write.includes(' events '))
  assert.ok(writes.length <= 16, `few writes: ${writes.join(', ')}`)

  await makeReady(c, 1)
  await settle()
  assert.deepEqual(
    client.all(endpointSlices)[0]?.endpoints?.map(({ conditions }) => conditions?.ready),
    [true],
  )
  await makeReady(c)
  await settle()
  const [slice] = client.all(endpointSlices)
  assert.equal(slice?.endpoints?.length, 3)
  assert.deepEqual(slice?.ports, [{ name: '', port: 9376, protocol: 'TCP' }])
  assert.equal((client.all(endpoints)[0] as Endpoints).subsets?.[0]?.addresses?.length, 3)
  const status = client.all(deployments)[0]?.status
  assert.deepEqual([status?.readyReplicas, status?.availableReplicas, status?.updatedReplicas], [3, 3, 3])
  assert.equal(status?.conditions?.find(({ type }) => type === 'Progressing')?.reason, 'NewReplicaSetAvailable')
  const reasons = new Set(client.all(events).map(({ reason }) => reason))
  for (const reason of ['ScalingReplicaSet', 'SuccessfulCreate', 'Scheduled']) assert.ok(reasons.has(reason), reason)
})

test('a rolling update, then back, then scaled', async (t) => {
  const c = await cluster(t, { controllers: ['*', '-endpoints-controller'] })
  const { client, settle } = c
  await client.create(deployments, web({ replicas: 4 }))
  const images = () =>
    alive(client)
      .map(({ spec }) => spec?.containers[0]?.image)
      .sort()
  const rollOut = async () => {
    for (let i = 0; i < 20; i++) {
      await settle()
      const ready = alive(client).filter(({ status }) =>
        status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True'),
      )
      assert.ok(ready.length >= 3 || i === 0, `at least 3 of 4 are ready: ${ready.length}`)
      assert.ok(alive(client).length <= 5, 'at most one more')
      await makeReady(c)
      await endPods(c)
    }
  }
  await settle()
  await makeReady(c)
  await rollOut()
  await client.patch(deployments, 'web', { spec: web({ replicas: 4 }, 'v2').spec } as Deployment, merge)
  await rollOut()
  assert.deepEqual(images(), ['v2', 'v2', 'v2', 'v2'])
  assert.equal(client.all(deployments)[0]?.metadata?.annotations?.['deployment.kubernetes.io/revision'], '2')
  await client.patch(deployments, 'web', { spec: web({ replicas: 4 }, 'v1').spec } as Deployment, merge)
  await rollOut()
  assert.deepEqual(images(), ['v1', 'v1', 'v1', 'v1'])
  assert.equal(client.all(deployments)[0]?.metadata?.annotations?.['deployment.kubernetes.io/revision'], '3')
  assert.equal(client.all(replicaSets).length, 2)
  await client.patch(deployments, 'web', { spec: { replicas: 1 } } as Deployment, merge)
  await settle()
  assert.equal(alive(client).length, 1)
})

test('a ReplicationController keeps its pods, takes strangers that fit, and lets go of what does not', async (t) => {
  const c = await cluster(t, { controllers: ['replicationcontroller'] })
  const { client, settle } = c
  const template = { metadata: { labels: { app: 'rc' } }, spec: { containers: [{ name: 'c', image: 'i' }] } }
  const orphan = { metadata: { name: 'orphan', namespace: 'default', labels: { app: 'rc' } }, spec: template.spec }
  await client.create(pods, orphan)
  await client.create(replicationControllers, {
    metadata: { name: 'rc', namespace: 'default' },
    spec: { replicas: 3, selector: { app: 'rc' }, template },
  })
  await settle()
  assert.equal(alive(client).length, 3)
  for (const { metadata } of alive(client))
    assert.deepEqual(
      metadata!.ownerReferences?.map(({ apiVersion, kind, name }) => [apiVersion, kind, name]),
      [['v1', 'ReplicationController', 'rc']],
      metadata!.name!,
    )
  const { status } = client.all(replicationControllers)[0]!
  assert.deepEqual([status?.replicas, status?.fullyLabeledReplicas], [3, 3])
  assert.equal('terminatingReplicas' in status!, false, 'which its status does not have')
  assert.ok(client.all(events).every(({ source }) => source?.component === 'replication-controller'))

  await client.patch(pods, 'orphan', { metadata: { labels: { app: 'other' } } } as Pod, merge)
  await settle()
  assert.equal(client.all(pods).length, 4, 'one more in its place')
  assert.deepEqual(
    client.all(pods).find(({ metadata }) => metadata?.name === 'orphan')?.metadata?.ownerReferences ?? [],
    [],
  )
  await client.patch(replicationControllers, 'rc', { spec: { replicas: 1 } }, merge)
  await settle()
  assert.equal(alive(client).length, 2, 'its last one, and the stranger')
})

test('deleting a Deployment takes everything with it, in the background and in the foreground', async (t) => {
  for (const propagationPolicy of ['Background', 'Foreground'] as const) {
    const c = await cluster(t)
    const { client, settle } = c
    await client.create(deployments, web())
    await settle()
    await makeReady(c)
    await settle()
    await client.delete(deployments, 'web', { ...inDefault, propagationPolicy })
    await settle()
    const left = client.all(deployments).length + client.all(replicaSets).length
    assert.equal(left, propagationPolicy === 'Foreground' ? 2 : 0, 'foreground waits for the pods')
    await endPods(c)
    await c.clock.advance(1000)
    await settle()
    assert.equal(
      client.all(pods).length + client.all(replicaSets).length + client.all(deployments).length,
      0,
      propagationPolicy,
    )
  }
})

test('orphans stay, and are adopted again', async (t) => {
  const c = await cluster(t)
  const { client, settle } = c
  await client.create(deployments, web())
  await settle()
  const before = alive(client)
    .map(({ metadata }) => metadata?.uid)
    .sort()
  await client.delete(deployments, 'web', { ...inDefault, propagationPolicy: 'Orphan' })
  await settle()
  assert.equal(client.all(deployments).length, 0)
  assert.equal(client.all(replicaSets)[0]?.metadata?.ownerReferences?.length ?? 0, 0)
  await client.create(deployments, web())
  await settle()
  assert.deepEqual(
    alive(client)
      .map(({ metadata }) => metadata?.uid)
      .sort(),
    before,
  )
  assert.equal(client.all(replicaSets).length, 1)
})

test('a pod is replaced: deleted, finished, let go by its labels', async (t) => {
  const c = await cluster(t)
  const { client, settle } = c
  await client.create(deployments, web())
  await settle()
  const [a, b, d] = alive(client).map(({ metadata }) => metadata!.name!)
  await client.delete(pods, a!, inDefault)
  await client.patch(pods, b!, { status: { phase: 'Failed' } } as Pod, { ...merge, subresource: 'status' })
  await client.patch(pods, d!, { metadata: { labels: { app: 'other' } } } as Pod, merge)
  await settle()
  const owned = alive(client).filter(
    ({ metadata, status }) => metadata?.ownerReferences?.length && status?.phase !== 'Failed',
  )
  assert.equal(owned.length, 3)
  assert.equal(client.all(pods).find(({ metadata }) => metadata?.name === d)?.metadata?.ownerReferences?.length, 0)
})

test('a node falls silent: its pods leave the endpoints, and later go', async (t) => {
  const c = await cluster(t)
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
  const { client, settle } = await cluster(t)
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
  const c = await cluster(t)
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
  const { client, settle } = await cluster(t, { nodeCount: 1 })
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
  const { client, settle } = await cluster(t)
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
  const c = await cluster(t)
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
  const c = await cluster(t)
  const { client, clock, settle } = c
  await client.create(deployments, web())
  await settle()
  await makeReady(c)
  await clock.advance(120_000)
  await settle()
  assert.equal(alive(client).length, 3)
  assert.ok(client.all(nodes).every(({ spec }) => spec?.taints?.every(({ effect }) => effect === 'NoSchedule')))
})

test('a Job counts each of its pods once', async (t) => {
  const c = await cluster(t)
  const { client, clock, settle } = c
  const template = {
    spec: { restartPolicy: 'Never', containers: [{ name: 'c' }] },
    metadata: { labels: { job: 'pi' } },
  }
  const spec = { completions: 5, parallelism: 2, backoffLimit: 6, selector: { matchLabels: { job: 'pi' } }, template }
  await client.create(jobs, { metadata: { name: 'pi', namespace: 'default' }, spec })
  const finish = async (phase: string) => {
    for (const { metadata, status } of client.all(pods))
      if (status?.phase === 'Pending')
        await client.patch(pods, metadata!.name!, { status: { phase } } as Pod, { ...merge, subresource: 'status' })
    await settle()
  }
  await settle()
  assert.equal(client.all(pods).length, 2)
  await finish('Failed')
  await clock.advance(30_000)
  for (let i = 0; i < 5; i++) await finish('Succeeded')
  const { status } = client.all(jobs)[0]!
  assert.deepEqual([status?.succeeded, status?.failed, status?.uncountedTerminatedPods], [5, 2, {}])
  assert.ok(status?.conditions?.some(({ type }) => type === 'Complete'))
  assert.ok(client.all(pods).every(({ metadata }) => metadata?.finalizers?.length === 0))
})

test('a StatefulSet and a DaemonSet', async (t) => {
  const c = await cluster(t)
  const { client, settle } = c
  const template = (app: string, image = 'v1') => ({
    metadata: { labels: { app } },
    spec: { containers: [{ name: 'c', image }] },
  })
  const updateStrategy = { type: 'RollingUpdate', rollingUpdate: {} }
  const spec = (app: string) => ({ selector: { matchLabels: { app } }, template: template(app), updateStrategy })
  await client.create(statefulSets, {
    metadata: { name: 'db', namespace: 'default' },
    spec: { ...spec('db'), replicas: 2, serviceName: 'db' },
  })
  await client.create(daemonSets, { metadata: { name: 'agent', namespace: 'default' }, spec: spec('agent') })
  const settleAll = async () => {
    for (let i = 0; i < 12; i++) {
      await settle()
      await makeReady(c)
      await endPods(c)
    }
    await settle()
  }
  const told = () =>
    alive(client)
      .map(({ metadata, spec }) => `${metadata?.labels?.['app']} ${spec?.nodeName} ${spec?.containers[0]?.image}`)
      .sort()
  await settle()
  assert.deepEqual(
    alive(client)
      .filter(({ metadata }) => metadata?.labels?.['app'] === 'db')
      .map(({ metadata }) => metadata?.name),
    ['db-0'],
    'one after the other',
  )
  await settleAll()
  assert.deepEqual(told(), ['agent node-1 v1', 'agent node-2 v1', 'agent node-3 v1', 'db node-1 v1', 'db node-2 v1'])
  await client.patch(statefulSets, 'db', { spec: { template: template('db', 'v2') } }, merge)
  await client.patch(daemonSets, 'agent', { spec: { template: template('agent', 'v2') } }, merge)
  await settleAll()
  assert.ok(
    told().every((text) => text.endsWith('v2')),
    told().join(', '),
  )
  assert.equal(
    client.all(statefulSets)[0]?.status?.currentRevision,
    client.all(statefulSets)[0]?.status?.updateRevision,
  )
  assert.equal(client.all(daemonSets)[0]?.status?.updatedNumberScheduled, 3)
  assert.equal(client.all(controllerRevisions).length, 4)
})
