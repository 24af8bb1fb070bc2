// effect: the pod network as a process
import { release } from 'node:os'
import { dirname, join } from 'node:path'
import { UserError } from '#daemon/error.ts'
import { serveHealth } from '#daemon/health.ts'
import { createLoop } from '#daemon/loop.ts'
import type { Logger } from '#daemon/log.ts'
import type { PartContext } from '#daemon/part.ts'
import { openRoute, type Route } from '#kernel/route/open-route.ts'
import type { Announcement } from '#flannel/annotations.ts'
import type { Backend, FamilyPlan, Problem, Self } from '#flannel/backend.ts'
import { backendOf, backendTypes } from '#flannel/backends.ts'
import { renderCniConflist } from '#flannel/cni-conflist.ts'
import { ensureBlackholes } from '#flannel/blackhole.ts'
import { chooseInterface, type ExternalInterface } from '#flannel/external-interface.ts'
import { kubernetesLeases } from '#flannel/kubernetes-leases.ts'
import { families, type Subnets } from '#flannel/lease.ts'
import type { LeaseSource } from '#flannel/lease-source.ts'
import { Ledger } from '#flannel/ledger.ts'
import { createFlannelMetrics } from '#flannel/metrics.ts'
import { applyNetwork } from '#flannel/network.ts'
import type { FlannelOptions } from '#flannel/options.ts'
import { planNetwork, planSelf } from '#flannel/plan.ts'
import { createProblemLog } from '#flannel/problem-log.ts'
import { replaceFile } from '#flannel/replace-file.ts'
import { createRulesLoop } from '#flannel/rules-loop.ts'
import { renderSubnetFile, type SubnetFile } from '#flannel/subnet-file.ts'
import { Tunnels } from '#flannel/tunnel/tunnels.ts'
import { watchNetwork } from '#flannel/watch-network.ts'

/** The kernel is looked at so often even where it has said nothing. */
const resyncMs = 60_000

/** Keeps this machine's ways to the pods of the others until the signal aborts. Routes and rules stay after it. */
export async function run(options: FlannelOptions, context: PartContext): Promise<void> {
  const { config, nodeName, netns } = options
  const { clock, log, registry, signal } = context
  const backend = openBackend(options)
  log.info(`Found network config - Backend type: ${backend.type}`)
  const metrics = createFlannelMetrics(registry)
  const ledger = new Ledger(join(dirname(options.subnetFile), 'fairway-routes.json'))
  using route = openRoute(netns)
  await using tunnels = new Tunnels({ log, registry, netns, onEnd: () => network.mark('tunnel') })
  let external: ExternalInterface | undefined
  let selves: readonly Self[] = []
  let isApplied = false
  let problemsNow: readonly Problem[] = []

  const source = await openLeases(options, context, onChange)
  const problems = createProblemLog(log, source)
  const rules = createRulesLoop(options, context, metrics, () => selves)

  const observe = (): ExternalInterface | string => {
    const publicIps = { ...options.publicIps, ...source.publicIps() }
    const chosen = observeInterface(route, { ...options, publicIps }, external?.name)
    if (typeof chosen === 'string') return chosen
    if (chosen.name !== external?.name)
      log.info(`Using interface with name ${chosen.name} and address ${ipsOf(chosen)}`)
    external = chosen
    source.claim(announcementOf(nodeName, chosen, backend))
    return chosen
  }
  /** What the kernel shall have now, or why nothing can be planned. */
  const plan = (external: ExternalInterface, subnets: Subnets): readonly FamilyPlan[] | string => {
    const offload = options.checksumOffload
    const leases = source.leases()
    const input = { node: nodeName, config, backend, external, subnets, leases, offload, release: release() }
    const planned = planSelf(input)
    if (typeof planned === 'string') return planned
    selves = planned
    return planNetwork(input, selves)
  }
  const network = createLoop({
    name: 'network',
    clock,
    log,
    resyncMs,
    onResync: () => ['resync'],
    async act() {
      if (!source.isSynced) return
      const chosen = observe()
      if (typeof chosen === 'string') return problems.blocked(chosen)
      const subnets = source.ownSubnets()
      if (typeof subnets === 'string') return problems.waiting(subnets)
      const plans = plan(chosen, subnets)
      problems.blocked(typeof plans === 'string' ? plans : undefined)
      if (typeof plans === 'string') return
      metrics.planned(plans)
      problemsNow = plans.flatMap((one) => one.problems)
      problems.found(problemsNow)
      const startedMs = clock.monotonicMs()
      try {
        ensureBlackholes(route, options.blackholeRoute, selves)
        const { steps, repairs } = applyNetwork({ route, tunnels, log, netns }, plans, ledger)
        metrics.applied(steps, repairs, (clock.monotonicMs() - startedMs) / 1000)
        isApplied = true
      } finally {
        // What failed for one peer keeps no other from being reached.
        watched.devices(plans.flatMap(({ device }) => device?.name ?? []))
        rules.mark('plan')
        announcing.mark('plan')
      }
      writeFiles(options, { ...pods(selves, backend), ...subnetOptions(options) }, log)
    },
  })
  const announcing = createLoop({
    name: 'announce',
    clock,
    log,
    async act() {
      if (selves.length === 0 || external === undefined) return
      await source.announce(announcementOf(nodeName, external, backend))
      if (isApplied) await source.complete()
      // Another back end on some nodes is how one moves from one to the other.
      await source.report(problemsNow.filter(({ code }) => code !== 'OtherBackend'))
    },
  })
  function onChange(node: string) {
    network.mark(node)
    if (node === nodeName) announcing.mark(node)
  }

  const { health } = options
  const checks = {
    network: () => problems.reason ?? (isApplied ? undefined : 'waiting for the nodes'),
    rules: rules.reason,
  }
  if (health !== undefined)
    await serveHealth({
      address: health.host,
      port: health.port,
      checks,
      notLive: Object.keys(checks),
      registry,
      signal,
    })
  using watched = watchNetwork(
    route,
    Object.values(config.networks),
    () => external?.index,
    () => network.mark('kernel'),
  )
  log.info('Watching for new subnet leases')
  await Promise.all([network.run(signal), announcing.run(signal), rules.run(signal)])
}

function writeFiles({ subnetFile, cniConfFile }: FlannelOptions, content: SubnetFile, log: Logger): void {
  if (replaceFile(subnetFile, renderSubnetFile(content))) log.info(`Wrote subnet file to ${subnetFile}`)
  if (cniConfFile !== undefined && replaceFile(cniConfFile, renderCniConflist(content)))
    log.info(`Wrote configuration of CNI plugins to ${cniConfFile}`)
}

/** The library of the keeper that is not used is not loaded. */
async function openLeases(
  { keeper, nodeName: node, annotationPrefix: prefix, setNetworkUnavailable }: FlannelOptions,
  context: PartContext,
  onChange: (node: string) => void,
): Promise<LeaseSource> {
  if (keeper.kind === 'kubernetes')
    return kubernetesLeases({ client: keeper.client, node, prefix, setNetworkUnavailable, onChange }, context)
  const { etcdLeases } = await import('#flannel/etcd-leases.ts')
  return etcdLeases({ ...keeper, node, onChange }, context)
}

function openBackend({ config }: FlannelOptions): Backend {
  const backend = backendOf(config.backend)
  if (backend !== undefined) return backend
  throw new UserError(`unknown back end "${config.backend.type}"`, {
    code: 'UnknownBackend',
    remedy: `there are ${backendTypes.join(', ')}`,
  })
}

function observeInterface(route: Route, options: FlannelOptions, last: string | undefined): ExternalInterface | string {
  const machine = { links: route.links(), addresses: route.addresses(), routes: route.routes() }
  return chooseInterface(machine, {
    interfaces: options.interfaces,
    patterns: options.interfacePatterns,
    publicIps: options.publicIps,
    canReach: options.canReach,
    families: families.filter((family) => options.config.networks[family] !== undefined),
    last,
  })
}

const ipsOf = ({ byFamily }: ExternalInterface) =>
  Object.values(byFamily)
    .map(({ ip }) => ip)
    .join(' and ')

const announcementOf = (node: string, { byFamily }: ExternalInterface, backend: Backend): Announcement => ({
  backendType: backend.type,
  byFamily: Object.fromEntries(
    families.flatMap((family) => {
      const address = byFamily[family]
      return address === undefined
        ? []
        : [[family, { publicIp: address.publicIp, data: backend.announce({ node, family }) }]]
    }),
  ),
})

/** Pods of both families share one link, so the larger overhead counts. */
const pods = (selves: readonly Self[], backend: Backend) => ({
  subnets: Object.fromEntries(selves.map(({ family, subnet }) => [family, subnet])),
  mtu: Math.min(...selves.map(({ mtu, family }) => mtu - backend.overhead(family))),
})
const subnetOptions = ({ config, masquerade }: FlannelOptions) => ({ networks: config.networks, masquerade })
