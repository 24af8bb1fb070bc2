// From a Deployment to bound pods, from a ready pod to its EndpointSlice: API server and controllers over HTTPS on
// loopback, in this process, with a client that watches as a proxy would.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Deployment, deployments } from '#api/apps.ts'
import { type Node, type Pod, nodes, pods, services } from '#api/core.ts'
import { type EndpointSlice, endpointSlices } from '#api/discovery.ts'
import { run as runApiserver } from '#apiserver/main.ts'
import { ownFiles } from '#apiserver/own-files.ts'
import { type Client, connect } from '#client/client.ts'
import { informer } from '#client/informer.ts'
import { loadKubeconfig } from '#client/kubeconfig.ts'
import { run as runControllers } from '#controllers/main.ts'
import { systemClock } from '#daemon/clock.ts'
import { silentLog } from '#daemon/log.ts'
import { createRegistry } from '#daemon/metrics.ts'
import { percentile, type Bench } from './bench.ts'

const inDefault = { namespace: 'default' }

export const bench: Bench = {
  about: 'Deployment to bound pods, ready pod to EndpointSlice, over HTTPS on loopback',
  async run({ short, say }) {
    const folder = mkdtempSync(join(tmpdir(), 'fairway-bench-'))
    const stop = new AbortController()
    const { client, running } = await start(folder, stop.signal)
    try {
      for (let i = 1; i <= 3; i++) await client.create(nodes, nodeNamed(`node-${i}`))
      const bound = await deployments3(client, short ? 5 : 20)
      say(`${bound.length} Deployments of 3 replicas`)
      const ready = await readiness(client, stop.signal, short ? 20 : 100)
      const large = await scaleUp(client, short ? 100 : 500)
      return {
        figures: {
          bound_3_ms: median(bound),
          bound_3_most_ms: Math.max(...bound),
          ready_to_slice_ms: median(ready),
          ready_to_slice_p99_ms: percentile(ready, 0.99),
          [`bound_${short ? 100 : 500}_ms`]: large,
        },
      }
    } finally {
      stop.abort()
      await running
      client.close()
      rmSync(folder, { recursive: true })
    }
  },
}

async function start(folder: string, signal: AbortSignal): Promise<{ client: Client; running: Promise<unknown> }> {
  const own = ownFiles({ folder, ips: ['127.0.0.1'], dnsNames: ['localhost'] })
  const context = { signal, log: silentLog, clock: systemClock, registry: createRegistry() }
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
      onReady: ({ port }) => ready.resolve(port),
    },
    context,
  )
  const config = loadKubeconfig(own.writeKubeconfig(`https://127.0.0.1:${await ready.promise}`))
  const synced = Promise.withResolvers<void>()
  const controlling = runControllers(
    {
      client: connect(config, { idleConnections: 16 }),
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
      onSynced: () => synced.resolve(),
    },
    context,
  )
  await synced.promise
  return { client: connect(config), running: Promise.all([serving, controlling]) }
}

const nodeNamed = (name: string): Node => ({
  metadata: { name, labels: { 'kubernetes.io/hostname': name } },
  status: {
    allocatable: { cpu: '64', memory: '256Gi', pods: '1000' },
    conditions: [{ type: 'Ready', status: 'True' }],
  },
})

const deployment = (name: string, replicas: number): Deployment => ({
  metadata: { name, namespace: 'default' },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'c', image: 'x' }] } },
  },
})

/** Waits until a watch has shown so many bound pods of an application. */
async function untilBound(client: Client, app: string, count: number): Promise<void> {
  const stop = new AbortController()
  const seen = new Set<string>()
  const list = await client.list(pods, { ...inDefault, labelSelector: `app=${app}` })
  const note = ({ metadata, spec }: Pod) => {
    if (spec?.nodeName) seen.add(metadata?.name ?? '')
  }
  list.items.forEach(note)
  if (seen.size >= count) return
  const { resourceVersion } = list.metadata
  for await (const { object } of client.watch(pods, {
    ...inDefault,
    labelSelector: `app=${app}`,
    resourceVersion,
    signal: stop.signal,
  })) {
    note(object)
    if (seen.size >= count) break
  }
  stop.abort()
}

async function deployments3(client: Client, count: number): Promise<number[]> {
  const times: number[] = []
  for (let i = 0; i < count; i++) {
    const startedMs = performance.now()
    await client.create(deployments, deployment(`d${i}`, 3))
    await untilBound(client, `d${i}`, 3)
    times.push(performance.now() - startedMs)
  }
  return times
}

/** From the kubelet's patch to the watch event of the slice, again and again for one pod. */
async function readiness(client: Client, signal: AbortSignal, count: number): Promise<number[]> {
  await client.create(services, {
    metadata: { name: 'd0', namespace: 'default' },
    spec: { selector: { app: 'd0' }, ports: [{ port: 80 }] },
  })
  const waiting = { ready: false, resolve: () => {} }
  informer<EndpointSlice>(client, endpointSlices, {
    ...inDefault,
    signal,
    log: silentLog,
    labelSelector: 'kubernetes.io/service-name=d0',
    onChange({ value }) {
      if (value.endpoints?.some(({ conditions }) => conditions?.ready === waiting.ready)) waiting.resolve()
    },
  })
  const { items } = await client.list(pods, { ...inDefault, labelSelector: 'app=d0' })
  const { metadata } = items[0]!
  const times: number[] = []
  for (let i = 0; i < count; i++) {
    const told = Promise.withResolvers<void>()
    waiting.ready = i % 2 === 0
    waiting.resolve = told.resolve
    const ready = {
      type: 'Ready',
      status: waiting.ready ? 'True' : 'False',
      lastTransitionTime: new Date().toISOString().replace(/\.\d+/, ''),
    }
    const status = { phase: 'Running', podIP: '10.244.0.9', podIPs: [{ ip: '10.244.0.9' }], conditions: [ready] }
    const startedMs = performance.now()
    await client.patch(pods, metadata!.name!, { status } as Pod, { type: 'merge', subresource: 'status', ...inDefault })
    await told.promise
    times.push(performance.now() - startedMs)
  }
  return times
}

async function scaleUp(client: Client, count: number): Promise<number> {
  const startedMs = performance.now()
  await client.create(deployments, deployment('large', count))
  await untilBound(client, 'large', count)
  return performance.now() - startedMs
}

const median = (values: readonly number[]) => percentile(values, 0.5)
