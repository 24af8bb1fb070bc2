// effect: rules, connections and health check ports of one address family
// Plans the Services that changed, has the differences written, and then does what may only follow the rules: metrics,
// health check ports, forgetting stale UDP flows.
import type { Clock } from '#daemon/clock.ts'
import { messageOf } from '#daemon/error.ts'
import type { Logger } from '#daemon/log.ts'
import { deleteFlows, listFlows } from '#kernel/conntrack/conntrack.ts'
import type { NftTransaction } from '#kernel/netfilter/generation.ts'
import { equalJson } from '#lib/equal.ts'
import type { Ip } from '#lib/ip.ts'
import { changeLines } from '#proxy/change-lines.ts'
import type { Change, Dataplane } from '#proxy/dataplane.ts'
import type { ServiceHealthServer } from '#proxy/health/service-health-server.ts'
import type { ProxyMetrics } from '#proxy/metrics.ts'
import { PlanCounts } from '#proxy/plan-counts.ts'
import { Claims } from '#proxy/plan/claims.ts'
import { type Guard, type GuardedNode, guardOf, noGuard, withheldText } from '#proxy/plan/guard.ts'
import { type HealthPlan, planHealth } from '#proxy/plan/health.ts'
import { planService, type PortPlan } from '#proxy/plan/plan.ts'
import type { ServiceCache } from '#proxy/service-cache.ts'
import { planTargets, staleFlows } from '#proxy/stale-flows.ts'
import type { Family, NodePlace } from '#proxy/state.ts'

export type FamilyContext = {
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: ProxyMetrics
  readonly services: ServiceCache
  readonly health: ServiceHealthServer
  /** the network namespace of the connections; undefined: this process's own */
  readonly netns?: string
  /** addresses of this machine */
  machineIps(): readonly Ip[]
  /** A front of this Service is not programmed, for the sake of the node. */
  onWithheld(service: string, text: string): void
  /** Another Service claims a front of this one too. */
  onConflict(service: string, text: string): void
}

const udp = 17
/** More changes at once than this are counted instead of listed. */
const mostLines = 500

export class FamilyProxy implements Disposable {
  readonly family: Family
  readonly #context: FamilyContext
  readonly #label: string
  #plane: Dataplane
  #node: NodePlace
  /** undefined: everything may be taken from the node */
  #guarded: GuardedNode | undefined
  #plans = new Map<string, readonly PortPlan[]>()
  readonly #healthPlans = new Map<string, HealthPlan>()
  /** the kernel's state is not known to follow from #plans */
  #isUnsure = true
  readonly #counts = new PlanCounts()
  readonly #claims = new Claims()
  readonly #withheld = new Set<string>()
  /** NodePorts that an earlier run has programmed; known while the first write is under way */
  #inherited: ReadonlySet<string> = new Set()
  #hasWritten = false

  constructor(plane: Dataplane, node: NodePlace, guarded: GuardedNode | undefined, context: FamilyContext) {
    this.#guarded = guarded
    this.family = plane.family
    this.#plane = plane
    this.#node = node
    this.#context = context
    this.#label = `IPv${plane.family}`
  }

  /** From now on another node, or rules that depend on other things: everything is planned and written anew. */
  replace(plane: Dataplane, node: NodePlace, guarded: GuardedNode | undefined): void {
    this.#guarded = guarded
    this.#plane[Symbol.dispose]()
    this.#plane = plane
    this.#node = node
    this.#isUnsure = true
  }

  noticed(transaction: NftTransaction): void {
    this.#plane.noticed?.(transaction)
  }

  get isSilent(): boolean {
    return this.#plane.isSilent === true
  }

  /** The next write writes everything. */
  get isUnsure(): boolean {
    return this.#isUnsure
  }

  [Symbol.dispose](): void {
    this.#plane[Symbol.dispose]()
  }

  /** Writes what changed about these Services. Throws where the kernel refuses; the next call then writes everything. */
  async sync(keys: Iterable<string>): Promise<void> {
    const { clock, log, metrics, services } = this.#context
    const startMs = clock.monotonicMs()
    const whole = this.#isUnsure
    const changes = this.#planChanges(whole ? new Set([...services.keys(), ...this.#plans.keys()]) : keys)
    if (!whole && changes.size === 0) return
    if (!this.#hasWritten) await this.#inherit(changes)
    this.#logChanges(changes)
    this.#tellWithheld(changes)
    this.#isUnsure = true
    await this.#plane.apply(this.#plans, whole ? undefined : changes)
    this.#isUnsure = false
    this.#hasWritten = true
    this.#inherited = new Set()
    const seconds = (clock.monotonicMs() - startMs) / 1000
    metrics.sync.observe(seconds, this.#label)
    ;(whole ? metrics.syncWhole : metrics.syncPartial).observe(seconds, this.#label)
    log.debug('SyncProxyRules complete', { ipFamily: this.#label, elapsed: `${(seconds * 1000).toFixed(3)}ms` })
    this.#count(changes, whole)
    await this.#context.health.sync(this.#healthPlans)
    this.#forgetFlows(changes, whole)
  }

  /** Looks whether someone else changed our rules; if so, writes everything. */
  async repair(): Promise<void> {
    if (this.#isUnsure) return
    const what = await this.#plane.check(this.#plans)
    if (what === undefined) return
    this.#context.log.warn('Rules were changed by someone else: writing all of them', { ipFamily: this.#label, what })
    this.#context.metrics.repairs.add(1, this.#label)
    this.#isUnsure = true
    await this.sync([])
    // What is there now is what later looks compare with.
    await this.#plane.check(this.#plans)
  }

  #planChanges(keys: Iterable<string>): Map<string, Change> {
    const { services } = this.#context
    const changes = new Map<string, Change>()
    const guarded = this.#guarded && askedOnce(this.#guarded)
    for (const key of keys) {
      const service = services.service(key)
      const slices = services.slices(key)
      const before = this.#plans.get(key) ?? []
      const after =
        service === undefined
          ? []
          : planService(service, slices, this.family, this.#node, guardFor(guarded, before, this.#inherited))
      const health = service && planHealth(service, slices, this.family, this.#node.name)
      if (health === undefined) this.#healthPlans.delete(key)
      else this.#healthPlans.set(key, health)
      if (before.length === 0 && after.length === 0) continue
      if (!this.#isUnsure && equalJson(before, after)) continue
      changes.set(key, { before, after })
      if (after.length === 0) this.#plans.delete(key)
      else this.#plans.set(key, after)
    }
    return changes
  }

  /** Who came first stays, over a restart too: what led to a Service before is not taken from it for a process of now. */
  async #inherit(changes: Map<string, Change>): Promise<void> {
    const isListening = ({ after }: Change) =>
      after.some(({ withheld }) => withheld?.some(({ why }) => why === 'listening'))
    const keys = [...changes].filter(([, change]) => isListening(change)).map(([key]) => key)
    if (keys.length === 0) return
    this.#inherited = await this.#plane.nodePorts()
    for (const [key, { after }] of this.#planChanges(keys))
      changes.set(key, { before: changes.get(key)?.before ?? [], after })
  }

  #logChanges(changes: ReadonlyMap<string, Change>): void {
    const { log } = this.#context
    const isListed = changes.size <= mostLines
    if (!isListed) log.info('Many Services changed at once', { ipFamily: this.#label, services: changes.size })
    if (!isListed && log.level < 3) return
    for (const { before, after } of changes.values())
      for (const line of changeLines(before, after)) {
        if (isListed) log.info(line)
        else log.debug(line, {}, 3)
      }
  }

  #count(changes: ReadonlyMap<string, Change>, whole: boolean): void {
    if (whole) this.#counts.reset(this.#plans.values())
    else for (const { before, after } of changes.values()) this.#counts.change(before, after)
    this.#counts.show(this.#context.metrics, this.#label)
  }

  /** What is not programmed for the sake of the node, once for each Service and front. */
  #tellWithheld(changes: ReadonlyMap<string, Change>): void {
    const textsOf = (ports: readonly PortPlan[]) =>
      ports.flatMap(({ withheld = [] }) => withheld.map((one) => withheldText(one, this.#node.name)))
    for (const [key, { before, after }] of changes) {
      const has = textsOf(after)
      if (has.length > 0) this.#withheld.add(key)
      else this.#withheld.delete(key)
      const told = new Set(textsOf(before))
      for (const text of has) if (!told.has(text)) this.#context.onWithheld(key, text)
      for (const { service, other, front } of this.#claims.change(before, after))
        this.#context.onConflict(
          service,
          `${front} is claimed by Service ${other} already: one of them is not reached there`,
        )
    }
  }

  /** Services that wait for the node to give a port free: worth another try now and then. */
  get withheld(): Iterable<string> {
    return this.#withheld
  }

  /** After a start, flows to endpoints that went away in the meantime are forgotten too. */
  #forgetFlows(changes: ReadonlyMap<string, Change>, whole: boolean): void {
    const { clock, log, machineIps, metrics, netns } = this.#context
    const before = [...changes.values()].flatMap((change) => change.before)
    const after = whole ? [...this.#plans.values()].flat() : [...changes.values()].flatMap((change) => change.after)
    const targets = planTargets(before, after)
    if (targets.size === 0) return
    const startMs = clock.monotonicMs()
    try {
      const stale = staleFlows(listFlows(this.family, udp, netns), targets, new Set(machineIps()))
      const deleted = deleteFlows(this.family, stale, netns)
      metrics.conntrackDeleted.add(deleted, this.#label)
      if (deleted > 0)
        log.debug('Finished reconciling conntrack entries', { ipFamily: this.#label, entriesDeleted: deleted })
    } catch (error) {
      log.error('Failed to clear all conntrack entries', { ipFamily: this.#label, err: messageOf(error) })
    }
    metrics.conntrackSync.observe((clock.monotonicMs() - startMs) / 1000, this.#label)
  }
}

/** What listens is asked for once, however many NodePorts are new. */
function askedOnce(node: GuardedNode): GuardedNode {
  let listening: ReturnType<GuardedNode['listening']> | undefined
  return { ...node, listening: () => (listening ??= node.listening()) }
}

function guardFor(node: GuardedNode | undefined, before: readonly PortPlan[], inherited: ReadonlySet<string>): Guard {
  if (node === undefined) return noGuard
  return guardOf(
    node,
    (front, protocol) =>
      (front.kind === 'node-port' && inherited.has(`${protocol}/${front.port}`)) ||
      before.some((plan) => plan.protocol === protocol && plan.fronts.some((had) => equalJson(had, front))),
  )
}
