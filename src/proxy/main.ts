// effect: the Service proxy as a process
import { createRecorder } from '#client/events.ts'
import type { Logger } from '#daemon/log.ts'
import { createLoop } from '#daemon/loop.ts'
import type { PartContext } from '#daemon/part.ts'
import { releaseMemory } from '#kernel/memory.ts'
import { configuration } from '#proxy/configuration.ts'
import { Families } from '#proxy/families.ts'
import { HealthState } from '#proxy/health/health-state.ts'
import { serveProxyHealth } from '#proxy/health/proxy-health-server.ts'
import { setConntrack, setOomScore } from '#proxy/kernel-settings.ts'
import { findLeftovers } from '#proxy/leftovers.ts'
import { createProxyMetrics } from '#proxy/metrics.ts'
import { observe } from '#proxy/observe.ts'
import { openDataplanes } from '#proxy/open-dataplane.ts'
import type { ProxyOptions } from '#proxy/options.ts'
import { type ChangeKind, createProgress } from '#proxy/progress.ts'
import { ServiceCache } from '#proxy/service-cache.ts'
import type { Ip } from '#lib/ip.ts'
import type { NodeView } from '#proxy/state.ts'

/** Marks of the loop that are not Services: the Node or its addresses changed; look whether others changed our rules. */
const environment = '@environment'
const check = '@check'
const canaryMs = 1000

/** Keeps this machine's rules equal to the cluster's Services until the signal aborts. The rules stay after it. */
export async function run(options: ProxyOptions, context: PartContext): Promise<void> {
  const { client, nodeName, mode, syncPeriodMs } = options
  const { clock, log, registry, signal } = context
  const metrics = createProxyMetrics(registry)
  const openers = await openDataplanes(options, context, metrics)
  log.info(`Using ${mode} Proxier.`)
  let removeLeftovers: (() => Promise<void>) | undefined = findLeftovers(mode, context)
  setConntrack(options.conntrack, log)
  if (options.oomScoreAdj !== undefined) setOomScore(options.oomScoreAdj, log)
  const recorder = createRecorder(client, { component: 'kube-proxy', host: nodeName, clock, log })
  const state = new HealthState(2 * syncPeriodMs)
  const progress = createProgress([...openers.keys()], state, metrics, clock)
  const services = new ServiceCache()
  const node = createNode(nodeName, log)
  const releaseWhenQuiet = onceQuiet(releaseMemory)
  let changes = 0
  let isObserved = false

  const loop = createLoop({
    name: 'proxy',
    clock,
    log,
    // The kernel tells of addresses and of nftables' rules; what it tells nobody (iptables-legacy, IPVS) is looked at.
    resyncMs: canaryMs,
    onResync() {
      if (!progress.isWritten) return []
      releaseWhenQuiet(changes)
      return [...(families.isSilent ? [check] : []), ...families.withheld()]
    },
    backoffMs: { first: 100, most: syncPeriodMs },
    async act(keys) {
      if (!isObserved) return
      if (keys.has(environment)) families.follow(node.view)
      const changed = [...keys].filter((key) => !key.startsWith('@'))
      await families.sync(changed, keys.has(check))
      progress.written(changed)
      await removeLeftovers?.()
      removeLeftovers = undefined
    },
  })
  using families = new Families(options, openers, {
    clock,
    log,
    metrics,
    services,
    state,
    recorder,
    onRulesTouched: () => loop.mark(check),
    onAddressesChanged: () => (progress.isWritten ? loop.mark(environment) : undefined),
  })
  const queue = (key: string, kind?: ChangeKind, changedAt?: number) => {
    changes++
    progress.queued(key, kind, changedAt)
    loop.mark(key)
  }
  await serveProxyHealth({
    clock,
    log,
    registry,
    signal,
    mode,
    state,
    bindAddressHardFail: options.bindAddressHardFail,
    healthz: options.healthz,
    metrics: options.metrics,
    configuration: configuration(options),
    isNodeEligible: () => node.isKnown && !node.view.leaving,
    isSynced: () => progress.isWritten,
    counters: metrics,
  })
  const onNode = (view: NodeView | undefined) => {
    node.set(view)
    queue(environment)
  }
  // A Service with another node's address would keep this one from reaching it: IPVS takes addresses with all their ports.
  const onPeer = (name: string, addresses: readonly Ip[]) => {
    node.setPeer(name, addresses)
    queue(environment)
  }
  const onServiceCidrs = (cidrs: readonly string[]) => {
    node.setServiceCidrs(cidrs)
    queue(environment)
  }
  log.info(`Not syncing ${mode} until Services and Endpoints have been received from master`)
  const observed = observe({
    client,
    nodeName,
    services,
    recorder,
    log,
    signal,
    onService: queue,
    onNode,
    onPeer: mode === 'ipvs' ? onPeer : undefined,
    onServiceCidrs: mode === 'nftables' ? onServiceCidrs : undefined,
  })
  observed.synced.then(
    () => {
      isObserved = true
      queue(environment)
    },
    () => undefined,
  )
  recorder.event({ apiVersion: 'v1', kind: 'Node', name: nodeName, uid: nodeName }, 'Normal', 'Starting', '')
  await loop.run(signal)
}

/** Called again and again with a count: acts once, when the count is the same as the last time. */
function onceQuiet(act: () => void): (count: number) => void {
  let last: number | undefined
  let isDone = false
  return (count) => {
    if (!isDone && count === last) {
      isDone = true
      act()
    }
    last = count
  }
}

/** What is known of the own Node, and of the cluster around it. When it is deleted, its addresses and zone are still those of this machine. */
function createNode(name: string, log: Logger) {
  let view: NodeView = {
    name,
    zone: '',
    ips: {},
    addresses: [],
    peers: [],
    podCidrs: [],
    serviceCidrs: [],
    leaving: false,
  }
  const peers = new Map<string, readonly Ip[]>()
  let serviceCidrs: readonly string[] = []
  let isKnown = false
  return {
    set(now: NodeView | undefined) {
      if (now !== undefined && !isKnown) log.info('Successfully retrieved NodeIPs', { NodeIPs: Object.values(now.ips) })
      isKnown = now !== undefined
      view = now ?? view
    },
    setPeer(peer: string, addresses: readonly Ip[]) {
      peers.set(peer, addresses)
    },
    setServiceCidrs(cidrs: readonly string[]) {
      serviceCidrs = cidrs
    },
    get view(): NodeView {
      return { ...view, peers: [...peers.values()].flat().sort(), serviceCidrs }
    },
    get isKnown() {
      return isKnown
    },
  }
}
