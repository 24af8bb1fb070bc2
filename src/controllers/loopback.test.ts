// The controllers against the real API server, over HTTPS on loopback: where the server's own rules (defaults, strategy,
// validation) meet what the controllers write.
import * as assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Deployment, deployments, replicaSets } from '#api/apps.ts'
import {
  type Pod,
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
import type { ApiObject } from '#api/meta.ts'
import type { Resource } from '#api/resource.ts'
import { run as runApiserver } from '#apiserver/main.ts'
import { ownFiles } from '#apiserver/own-files.ts'
import { type Client, connect, connectMany, isNotFound } from '#client/client.ts'
import { accountToken } from '#controllers/accounts.ts'
import { loadKubeconfig } from '#client/kubeconfig.ts'
import { run as runControllers } from '#controllers/main.ts'
import { systemClock } from '#daemon/clock.ts'
import { silentLog } from '#daemon/log.ts'
import { createRegistry } from '#daemon/metrics.ts'
import { issueCertificate } from '#pki/certificate.ts'

const inDefault = { namespace: 'default' }
const merge = { type: 'merge', ...inDefault } as const
const folder = mkdtempSync(join(tmpdir(), 'fairway-controllers-'))
const stop = new AbortController()
let client: Client
let running: Promise<unknown>

before(async () => {
  const own = ownFiles({ folder, ips: ['127.0.0.1'], dnsNames: ['localhost'] })
  const context = { signal: stop.signal, log: silentLog, clock: systemClock, registry: createRegistry() }
  const ready = Promise.withResolvers<number>()
  const serving = runApiserver(
    {
      bindAddress: '127.0.0.1',
      securePort: 0,
      advertiseAddress: '192.0.2.1',
      serviceClusterIpRanges: ['10.96.0.0/12'],
      serviceNodePortRange: '30000-32767',
      store: { kind: 'sqlite', path: join(folder, 'store.db') },
      tls: { ...own.server, clientCa: own.ca },
      agentTrust: { ...own.agentClient, ca: own.ca },
      tokens: { keys: [own.tokenKey], signingKey: own.tokenKey, issuer: 'https://kubernetes.default.svc' },
      onReady: ({ port }) => ready.resolve(port),
    },
    context,
  )
  const config = loadKubeconfig(own.writeKubeconfig(`https://127.0.0.1:${await ready.promise}`))
  client = connect(config)
  const clientWith = connectMany(config)
  const authority = { cert: own.ca, key: readFileSync(join(folder, 'ca.key'), 'utf8') }
  const as = (commonName: string) => ({ ...config, ...issueCertificate(authority, { commonName, usages: ['client'] }) })
  const controlling = runControllers(
    {
      client: connect(as('system:kube-controller-manager')),
      schedulerClient: connect(as('system:kube-scheduler')),
      clientAs: (account) => clientWith(accountToken(client, account, systemClock)),
      controllers: ['*'],
      clusterCidr: ['10.244.0.0/16'],
      nodeCidrMaskSize: 0,
      allocateNodeCidrs: true,
      nodeMonitorGracePeriod: 3_600_000,
      nodeStartupGracePeriod: 3_600_000,
      terminatedPodGcThreshold: 12_500,
      maxEndpointsPerSlice: 100,
      controllersHealthAddress: undefined,
      leaderElect: false,
      leaderElectLeaseDuration: 15_000,
      rootCa: config.ca,
    },
    context,
  )
  running = Promise.all([serving, controlling])
  running.catch((error: unknown) => ready.reject(error as Error))
  for (let i = 1; i <= 3; i++) {
    const name = `node-${i}`
    await client.create(nodes, { metadata: { name, labels: { 'kubernetes.io/hostname': name } } })
    const status = {
      allocatable: { cpu: '4', memory: '8Gi', pods: '110' },
      conditions: [{ type: 'Ready', status: 'True' }],
    }
    await client.patch(nodes, name, { status }, { type: 'merge', subresource: 'status' })
  }
})
after(async () => {
  stop.abort()
  await running
  client.close()
  rmSync(folder, { recursive: true })
})

/** Waits for the state that is asserted; how long that takes is a benchmark's business. */
async function until<T>(look: () => Promise<T>, check: (found: T) => boolean, what: string): Promise<T> {
  const endMs = performance.now() + 30_000
  for (;;) {
    const found = await look()
    if (check(found)) return found
    if (performance.now() > endMs) assert.fail(`never: ${what}; last: ${JSON.stringify(found)}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
const list = async <T>(resource: Resource<T>, labelSelector?: string, namespace = 'default') =>
  (await client.list(resource, { namespace, labelSelector })).items
const gone = async <T extends ApiObject>(
  resource: Resource<T>,
  name: string,
  options: { namespace?: string } = inDefault,
) => {
  try {
    await client.get(resource, name, options)
    return false
  } catch (error) {
    if (isNotFound(error)) return true
    throw error
  }
}

const web = (image: string): Deployment => ({
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    replicas: 3,
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: {
        containers: [{ name: 'c', image, ports: [{ name: 'http', containerPort: 9376 }] }],
        terminationGracePeriodSeconds: 0,
      },
    },
  },
})

/** The part of an agent that matters here: pods get ready, and end when they are asked to. */
async function act(labelSelector: string): Promise<readonly Pod[]> {
  const all = await list(pods, labelSelector)
  for (const [i, { metadata, spec, status }] of all.entries()) {
    const name = metadata!.name!
    if (metadata?.deletionTimestamp) await client.delete(pods, name, { ...inDefault, gracePeriodSeconds: 0 })
    else if (spec?.nodeName && status?.phase === 'Pending') {
      const ip = `10.244.${spec.nodeName.at(-1)}.${i + 10}`
      const ready = { type: 'Ready', status: 'True', lastTransitionTime: new Date().toISOString().replace(/\.\d+/, '') }
      const now = { phase: 'Running', podIP: ip, podIPs: [{ ip }], conditions: [ready] }
      await client.patch(pods, name, { status: now } as Pod, { ...merge, subresource: 'status' })
    }
  }
  return all
}

test('nodes have pod CIDRs, namespaces their accounts and bundles', async () => {
  const ranges = await until(
    async () => (await client.list(nodes)).items.map(({ spec }) => spec?.podCIDR),
    (found) => found.every(Boolean),
    'pod CIDRs',
  )
  assert.deepEqual(ranges, ['10.244.0.0/24', '10.244.1.0/24', '10.244.2.0/24'])
  await until(
    async () => (await client.list(nodes)).items.flatMap(({ spec }) => spec?.taints ?? []),
    (taints) => taints.length === 0,
    'nodes without taints',
  )
  for (const namespace of ['default', 'kube-system']) {
    await until(
      () => gone(serviceAccounts, 'default', { namespace }),
      (no) => !no,
      `account in ${namespace}`,
    )
    await until(
      () => gone(configMaps, 'kube-root-ca.crt', { namespace }),
      (no) => !no,
      `bundle in ${namespace}`,
    )
  }
})

test('Deployment, Service, slices, rollout, undo, deletion', async () => {
  await client.create(services, {
    metadata: { name: 'web', namespace: 'default' },
    spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 'http' }] },
  })
  await client.create(deployments, web('v1'))
  const bound = await until(
    () => list(pods, 'app=web'),
    (found) => found.filter(({ spec }) => spec?.nodeName).length === 3,
    'three bound pods',
  )
  assert.deepEqual(bound.map(({ spec }) => spec?.nodeName).sort(), ['node-1', 'node-2', 'node-3'])
  await act('app=web')
  const [slice] = await until(
    () => list(endpointSlices, 'kubernetes.io/service-name=web'),
    (found) => found[0]?.endpoints?.filter(({ conditions }) => conditions?.ready).length === 3,
    'three ready endpoints',
  )
  assert.deepEqual(slice?.ports, [{ name: '', port: 9376, protocol: 'TCP' }])
  const old = await until(
    () => client.get(endpoints, 'web', inDefault),
    ({ subsets }) => subsets?.[0]?.addresses?.length === 3,
    'three addresses in Endpoints',
  )
  assert.deepEqual(old.subsets?.[0]?.ports, [{ port: 9376, protocol: 'TCP' }])
  const complete = ({ metadata, status }: Deployment) =>
    status?.observedGeneration === metadata?.generation &&
    status?.updatedReplicas === 3 &&
    status?.availableReplicas === 3 &&
    status?.replicas === 3
  await until(() => client.get(deployments, 'web', inDefault), complete, 'rolled out')

  await client.patch(deployments, 'web', { spec: web('v2').spec } as Deployment, merge)
  const updated = await until(
    async () => {
      await act('app=web')
      return client.get(deployments, 'web', inDefault)
    },
    (found) => complete(found) && found.metadata?.annotations?.['deployment.kubernetes.io/revision'] === '2',
    'rolled out again',
  )
  assert.equal(updated.status?.conditions?.find(({ type }) => type === 'Progressing')?.reason, 'NewReplicaSetAvailable')
  assert.equal(updated.status?.collisionCount, undefined)
  assert.equal((await list(replicaSets, 'app=web')).length, 2)
  assert.ok((await list(pods, 'app=web')).every(({ spec }) => spec?.containers[0]?.image === 'v2'))

  await client.delete(deployments, 'web', { ...inDefault, propagationPolicy: 'Foreground' })
  await until(
    async () => {
      await act('app=web')
      return gone(deployments, 'web')
    },
    (is) => is,
    'deleted in the foreground',
  )
  assert.equal((await list(pods, 'app=web')).length, 0)
  await until(
    () => list(endpointSlices, 'kubernetes.io/service-name=web'),
    (found) => (found[0]?.endpoints ?? []).length === 0,
    'no endpoints',
  )
  await client.delete(services, 'web', inDefault)
  await until(
    () => list(endpointSlices, 'kubernetes.io/service-name=web'),
    (found) => found.length === 0,
    'no slice',
  )
  await until(
    () => gone(endpoints, 'web'),
    (is) => is,
    'no Endpoints',
  )
})

test('nothing is written while nothing happens', async () => {
  await client.create(deployments, { ...web('v1'), metadata: { name: 'still', namespace: 'default' } })
  await until(
    () => act('app=web'),
    (found) => found.length === 3 && found.every(({ status }) => status?.phase === 'Running'),
    'running',
  )
  const version = async () => Number((await client.list(nodes)).metadata.resourceVersion)
  let quiet = 0
  for (let last = await version(); quiet < 20;) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    const now = await version()
    quiet = now === last ? quiet + 1 : 0
    last = now
  }
  await client.delete(deployments, 'still', inDefault)
})

test('a pod that fits nowhere has an event that says why', async () => {
  await client.create(pods, {
    metadata: { name: 'lost', namespace: 'default' },
    spec: { nodeSelector: { disk: 'ssd' }, containers: [{ name: 'c', image: 'x' }] },
  })
  const message = "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector."
  await until(
    () => list(events),
    (found) => found.some((event) => event.reason === 'FailedScheduling' && event.message === message),
    message,
  )
  const { status } = await client.get(pods, 'lost', inDefault)
  assert.equal(status?.conditions?.find(({ type }) => type === 'PodScheduled')?.message, message)
  await client.delete(pods, 'lost', inDefault)
  await until(
    () => gone(pods, 'lost'),
    (is) => is,
    'gone at once, for it never ran',
  )
})

test('a namespace goes with all that is in it', async () => {
  await client.create(namespaces, { metadata: { name: 'shop' } })
  const inShop = { namespace: 'shop' }
  await until(
    () => gone(serviceAccounts, 'default', inShop),
    (no) => !no,
    'account',
  )
  await client.create(deployments, { ...web('v1'), metadata: { name: 'web', namespace: 'shop' } })
  await client.create(services, {
    metadata: { name: 'web', namespace: 'shop' },
    spec: { selector: { app: 'web' }, ports: [{ port: 80 }] },
  })
  await until(
    () => list(pods, undefined, 'shop'),
    (found) => found.filter(({ spec }) => spec?.nodeName).length === 3,
    'pods',
  )
  await client.delete(namespaces, 'shop')
  await until(
    async () => {
      for (const { metadata } of await list(pods, undefined, 'shop'))
        if (metadata?.deletionTimestamp) await client.delete(pods, metadata.name!, { ...inShop, gracePeriodSeconds: 0 })
      return gone(namespaces, 'shop', {})
    },
    (is) => is,
    'the namespace is gone',
  )
})
