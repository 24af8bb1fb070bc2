// effect: rules, connections and health check ports
// The address families of this machine side by side. Each is written on its own: what fails in one does not hold up the
// other.
import type { Recorder } from '#client/events.ts'
import type { PartContext } from '#daemon/part.ts'
import { GROUP, openRoute, type Route } from '#kernel/route/open-route.ts'
import { listeningSockets } from '#kernel/listening.ts'
import { type NftTransaction, watchNftables } from '#kernel/netfilter/generation.ts'
import type { Subscription } from '#kernel/netlink/socket.ts'
import { equalJson } from '#lib/equal.ts'
import { type Environment, planEnvironment } from '#proxy/environment.ts'
import { FamilyProxy } from '#proxy/family-proxy.ts'
import type { HealthState } from '#proxy/health/health-state.ts'
import { ServiceHealthServer } from '#proxy/health/service-health-server.ts'
import { dummyLink } from '#proxy/ipvs/options.ts'
import { allowLocalhostNodePorts } from '#proxy/kernel-settings.ts'
import { tableName } from '#proxy/nftables/options.ts'
import type { GuardedNode } from '#proxy/plan/guard.ts'
import type { ProxyMetrics } from '#proxy/metrics.ts'
import type { OpenDataplane } from '#proxy/open-dataplane.ts'
import type { ProxyOptions } from '#proxy/options.ts'
import type { ServiceCache } from '#proxy/service-cache.ts'
import type { Family, NodeView } from '#proxy/state.ts'

export type FamiliesContext = Pick<PartContext, 'clock' | 'log'> & {
  readonly metrics: ProxyMetrics
  readonly services: ServiceCache
  readonly state: HealthState
  readonly recorder: Recorder
  /** Somebody may have changed rules of ours. */
  onRulesTouched(): void
  /** This machine has other addresses. */
  onAddressesChanged(): void
}

/** Tables of nftables mode, and those in which iptables-nft keeps the tables of iptables. */
const ourTables = new Set([tableName, 'filter', 'nat', 'mangle'].flatMap((name) => [`ip ${name}`, `ip6 ${name}`]))
const isOurs = ({ tables }: NftTransaction) => [...tables].some((table) => ourTables.has(table))

type One = { readonly proxy: FamilyProxy; readonly health: ServiceHealthServer; environment: Environment }

export class Families implements Disposable {
  readonly #options: ProxyOptions
  readonly #openers: ReadonlyMap<Family, OpenDataplane>
  readonly #context: FamiliesContext
  readonly #machine: Route = openRoute()
  readonly #families = new Map<Family, One>()
  readonly #watch: Subscription
  readonly #addressWatch: Subscription

  constructor(options: ProxyOptions, openers: ReadonlyMap<Family, OpenDataplane>, context: FamiliesContext) {
    this.#options = options
    this.#openers = openers
    this.#context = context
    const { onAddressesChanged } = context
    this.#addressWatch = this.#machine.watch([GROUP.address4, GROUP.address6], onAddressesChanged, onAddressesChanged)
    this.#watch = watchNftables((transaction) => {
      if (transaction !== undefined) for (const { proxy } of this.#families.values()) proxy.noticed(transaction)
      if (transaction === undefined || isOurs(transaction)) context.onRulesTouched()
    })
  }

  /** Takes over what is new about the Node and about the addresses of the machine. */
  follow(node: NodeView): void {
    for (const [family, open] of this.#openers) {
      const environment = planEnvironment(this.#options, node, this.#machineIps(), family)
      const known = this.#families.get(family)
      if (known !== undefined && equalJson(environment, known.environment)) continue
      if (environment.localhostNodePorts) allowLocalhostNodePorts()
      if (known === undefined) this.#families.set(family, this.#openFamily(family, open, environment))
      else {
        this.#context.log.info('Node or addresses changed: writing all rules', { ipFamily: `IPv${family}` })
        known.environment = environment
        known.proxy.replace(open(environment), environment.node, guardedNode(environment, family))
      }
    }
  }

  /** Writes what changed about these Services; `check`: looks after others' changes too. Throws the first failure. */
  async sync(services: readonly string[], check: boolean): Promise<void> {
    const { clock, state, onRulesTouched } = this.#context
    const isWhole = [...this.#families.values()].some(({ proxy }) => proxy.isUnsure)
    if (isWhole) this.#watch.pause()
    const all = [...this.#families].map(async ([family, { proxy }]) => {
      await proxy.sync(services)
      if (check) await proxy.repair()
      state.updated(family, clock.now())
    })
    const results = await Promise.allSettled(all)
    if (isWhole) {
      this.#watch.resume()
      onRulesTouched()
    }
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }

  /** What others do to rules is told by nobody. */
  get isSilent(): boolean {
    return [...this.#families.values()].some(({ proxy }) => proxy.isSilent)
  }

  /** Services that wait until the node gives a port free. */
  withheld(): Iterable<string> {
    return [...this.#families.values()].flatMap(({ proxy }) => [...proxy.withheld])
  }

  #openFamily(family: Family, open: OpenDataplane, environment: Environment): One {
    const { clock, log, metrics, services, state, recorder } = this.#context
    const { nodePortIps, node } = environment
    const health = new ServiceHealthServer({
      addresses: nodePortIps === 'all' ? [family === 4 ? '0.0.0.0' : '::'] : nodePortIps,
      log,
      nodeName: node.name,
      isProxyHealthy: () => state.at(clock.now()).healthy,
      onFailure({ namespace, name }, message) {
        const about = { apiVersion: 'v1', kind: 'Service', namespace, name }
        recorder.event(about, 'Warning', 'FailedToStartServiceHealthcheck', message)
      },
    })
    const machineIps = () => this.#machineIps()
    const tell = (reason: string) => (key: string, text: string) => {
      const [namespace = '', name = ''] = key.split('/')
      log.warn(text, { service: key })
      const about = { apiVersion: 'v1', kind: 'Service', namespace, name, uid: services.service(key)?.uid ?? '' }
      recorder.event(about, 'Warning', reason, text)
    }
    const proxy = new FamilyProxy(open(environment), node, guardedNode(environment, family), {
      clock,
      log,
      metrics,
      services,
      health,
      machineIps,
      onWithheld: tell('NotProgrammed'),
      onConflict: tell('ClaimedTwice'),
    })
    return { proxy, health, environment }
  }

  /** But for those of Services, in IPVS mode. */
  #machineIps(): readonly string[] {
    const services = this.#machine.link(dummyLink)?.index
    return this.#machine.addresses().flatMap(({ ip, link }) => (link === services ? [] : [ip]))
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]()
    this.#addressWatch[Symbol.dispose]()
    for (const { health, proxy } of this.#families.values()) {
      health[Symbol.dispose]()
      proxy[Symbol.dispose]()
    }
    this.#machine[Symbol.dispose]()
  }
}

function guardedNode(
  { ownIps, peerIps, nodePortIps, localhostNodePorts }: Environment,
  family: Family,
): GuardedNode | undefined {
  if (ownIps === undefined) return undefined
  return { family, nodeIps: ownIps, peerIps, nodePortIps, localhostNodePorts, listening: () => listeningSockets() }
}
