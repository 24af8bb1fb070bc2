// Workloads by all controllers together, against a server in memory: what users do and what comes of it.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Deployment, controllerRevisions, daemonSets, deployments, replicaSets, statefulSets } from '#api/apps.ts'
import { jobs } from '#api/batch.ts'
import { type Endpoints, type Pod, endpoints, events, pods, replicationControllers, services } from '#api/core.ts'
import { endpointSlices } from '#api/discovery.ts'
import { alive, controllersInMemory, endPods, inDefault, makeReady, merge, web } from '#test/controllers-in-memory.ts'

test('a Deployment becomes pods on nodes, then endpoints', async (t) => {
  const c = await controllersInMemory(t)
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
  const c = await controllersInMemory(t, { controllers: ['*', '-endpoints-controller'] })
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
  const c = await controllersInMemory(t, { controllers: ['replicationcontroller'] })
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
    const c = await controllersInMemory(t)
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
  const c = await controllersInMemory(t)
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
  const c = await controllersInMemory(t)
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

test('a Job counts each of its pods once', async (t) => {
  const c = await controllersInMemory(t)
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
  const c = await controllersInMemory(t)
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
