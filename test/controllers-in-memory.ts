// All controllers together, against a server in memory that has nodes but nothing on them.
import * as assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { type Deployment, controllerRevisions, daemonSets, deployments, replicaSets, statefulSets } from '#api/apps.ts'
import { jobs } from '#api/batch.ts'
import { leases } from '#api/coordination.ts'
import {
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
export const inDefault = { namespace: 'default' }
export const merge = { type: 'merge', ...inDefault } as const

export type Cluster = {
  readonly client: FakeClient
  readonly clock: FakeClock
  /** Waits until `check` passes; time does not go on by itself. */
  until(check: () => boolean, what?: string): Promise<void>
  /** Lets everything happen that can without time. */
  settle(): Promise<void>
}

export async function controllersInMemory(
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

export const nodeNamed = (name: string, ready: string): Node => ({
  metadata: { name, labels: { 'kubernetes.io/hostname': name } },
  spec: {},
  status: {
    allocatable: { cpu: '4', memory: '8Gi', pods: '110' },
    conditions: [{ type: 'Ready', status: ready, lastHeartbeatTime: at(0) }],
  },
})

export const web = (more: Partial<Deployment['spec']> = {}, image = 'v1'): Deployment => ({
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

export const alive = (client: FakeClient) =>
  client.all(pods).filter(({ metadata }) => metadata?.deletionTimestamp === undefined)

/** What the kubelet would say of each pod that has a node. */
export async function makeReady({ client }: Cluster, count = Infinity): Promise<void> {
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
export async function endPods({ client }: Cluster): Promise<void> {
  for (const { metadata } of client.all(pods))
    if (metadata?.deletionTimestamp) await client.delete(pods, metadata.name!, { ...inDefault, gracePeriodSeconds: 0 })
}
