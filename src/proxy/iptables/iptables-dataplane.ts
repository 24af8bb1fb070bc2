// effect: iptables programs, netlink sockets
// iptables mode in one address family: keeps the kernel's tables equal to the plans.
import { type Iptables, IptablesError } from '#kernel/iptables/program.ts'
import { restoreTables, saveTables } from '#kernel/iptables/restore.ts'
import { ensureCounters } from '#kernel/netfilter/accounting.ts'
import { nftablesGeneration } from '#kernel/netfilter/generation.ts'
import type { Logger } from '#daemon/log.ts'
import type { Change, Dataplane, Plans } from '#proxy/dataplane.ts'
import { renderCleanup } from '#proxy/iptables/cleanup-text.ts'
import { TablesFingerprint } from '#proxy/iptables/fingerprint.ts'
import { type Outline, outline } from '#proxy/iptables/found.ts'
import { jumps, kubeletChain, kubeletJumps } from '#proxy/iptables/frame.ts'
import { invalidDroppedCounter, largeClusterEndpoints, type RenderOptions } from '#proxy/iptables/render-options.ts'
import { localhostAcceptedCounter } from '#proxy/iptables/render-options.ts'
import { renderChange, renderWhole, type Restore } from '#proxy/iptables/restore-text.ts'
import { countRules } from '#proxy/iptables/all-chains.ts'
import type { PortPlan } from '#proxy/plan/plan.ts'

export type IptablesOptions = Omit<RenderOptions, 'family' | 'randomFully' | 'counters' | 'large'>

/** What was written, for metrics. */
export type Written = {
  readonly whole: boolean
  /** rules of this write, and in all */
  readonly rules: Restore['rules']
  readonly total: Restore['rules']
}
export type IptablesObserver = { written(what: Written): void; failed(whole: boolean): void }

const mostUnlike = 2

export class IptablesDataplane implements Dataplane {
  readonly #iptables: Iptables
  readonly #log: Logger
  readonly #observer: IptablesObserver
  #options: RenderOptions
  #total = { filter: 0, nat: 0 }
  readonly #tables: TablesFingerprint
  /** tells whether anyone has written since; undefined: not known */
  #fingerprint: string | undefined
  /** how often in a row rules were right in number and not in their words; at first as if that had been so once already */
  #unlike = mostUnlike - 1

  constructor(iptables: Iptables, options: IptablesOptions, log: Logger, observer: IptablesObserver) {
    this.#iptables = iptables
    this.#log = log
    this.#observer = observer
    this.#tables = new TablesFingerprint(iptables, ['mangle', 'filter', 'nat'])
    const { family, randomFully } = iptables
    this.#options = { ...options, family, randomFully, counters: false, large: false }
  }

  get family(): 4 | 6 {
    return this.#iptables.family
  }

  get isSilent(): boolean {
    return this.#iptables.backend === 'legacy'
  }

  async apply(plans: Plans, changes?: ReadonlyMap<string, Change>): Promise<void> {
    const large = countEndpoints(plans) > largeClusterEndpoints
    const whole = changes === undefined || large !== this.#options.large
    this.#options = { ...this.#options, large }
    try {
      if (whole) await this.#applyWhole(plans)
      else await this.#applyChanges(plans, changes)
    } catch (error) {
      this.#observer.failed(whole)
      this.#fingerprint = undefined
      throw error
    }
  }

  async #applyWhole(plans: Plans): Promise<void> {
    this.#options = {
      ...this.#options,
      counters: ensureCounters([invalidDroppedCounter, localhostAcceptedCounter], this.#iptables.netns),
    }
    const found = await this.#look()
    let restore = renderWhole(portsOf(plans), this.#options, found)
    try {
      await this.#restoreWhole(restore)
    } catch (error) {
      // The kernel may have the counters and still lack the match that counts into them.
      if (!(error instanceof IptablesError) || error.code !== 'Refused' || !this.#options.counters) throw error
      this.#options = { ...this.#options, counters: false }
      restore = renderWhole(portsOf(plans), this.#options, found)
      await this.#restoreWhole(restore)
    }
    this.#total = restore.total
    this.#observer.written({ whole: true, rules: restore.rules, total: restore.total })
  }

  async #applyChanges(plans: Plans, changes: ReadonlyMap<string, Change>): Promise<void> {
    const before = [...changes.values()].flatMap((change) => change.before)
    const after = [...changes.values()].flatMap((change) => change.after)
    const restore = renderChange(before, after, () => portsOf(plans), this.#options)
    await this.#restoreChange(restore)
    const counted = (ports: readonly PortPlan[]) => sumByTable(countRules(ports, this.#options))
    const [had, has] = [counted(before), counted(after)]
    this.#total = { filter: this.#total.filter + has.filter - had.filter, nat: this.#total.nat + has.nat - had.nat }
    this.#observer.written({ whole: false, rules: restore.rules, total: this.#total })
  }

  /** After everything was written, the next check reads it back: only then is it known that nobody wrote in between. */
  async #restoreWhole({ text }: Restore): Promise<void> {
    this.#fingerprint = undefined
    if (text !== '') await restoreTables(this.#iptables, text)
  }

  /** In nftables each changed table is one generation: more than those, and somebody else was at work too. */
  async #restoreChange({ text }: Restore): Promise<void> {
    if (text === '') return
    const { backend, netns } = this.#iptables
    const isKnown = this.#fingerprint !== undefined && this.#fingerprint === this.#tables.read()
    const before = backend === 'nft' ? nftablesGeneration(netns) : 0
    await restoreTables(this.#iptables, text)
    const commits = text.split('\nCOMMIT\n').length - 1
    const isAlone = backend !== 'nft' || nftablesGeneration(netns) - before === commits
    this.#fingerprint = isKnown && isAlone ? this.#tables.read() : undefined
  }

  async check(plans: Plans): Promise<string | undefined> {
    const fingerprint = this.#tables.read()
    if (fingerprint === this.#fingerprint) return undefined
    const found = await this.#look()
    const missing = [...jumps, ...kubeletJumps].find((jump) => !found.hasJump(jump))
    if (missing !== undefined) return `${missing.table} ${missing.from} no longer jumps to ${missing.to}`
    for (const [chain, rules] of countRules(portsOf(plans), this.#options)) {
      const count = found.counts.get(chain)
      if (count === undefined) return `${chain} is gone`
      if (count !== rules && !chain.endsWith(kubeletChain)) return `${chain} has ${count} rules instead of ${rules}`
    }
    // An iptables that prints rules in other words than ours does so again after they were written anew.
    if (renderWhole(portsOf(plans), this.#options, found).text === '') this.#unlike = 0
    else if (this.#unlike++ < mostUnlike) return 'rules are not the same any more'
    this.#log.debug('Someone else changed iptables, and left our rules alone', { ipFamily: `IPv${this.family}` }, 4)
    this.#fingerprint = fingerprint
    return undefined
  }

  async nodePorts(): Promise<ReadonlySet<string>> {
    const rules = (await this.#look()).rulesOf('nat', 'KUBE-NODEPORTS') ?? ''
    return new Set(
      [...rules.matchAll(/-p (\w+) .*--dport (\d+) .*-j KUBE-/g)].map(([, protocol, port]) => `${protocol}/${port}`),
    )
  }

  async remove(): Promise<void> {
    const text = renderCleanup(await this.#look(), ['iptables'])
    if (text !== '') await restoreTables(this.#iptables, text)
    this.#fingerprint = undefined
  }

  /** Nothing is held between two writes. */
  [Symbol.dispose](): void {}

  async #look(): Promise<Outline> {
    return outline(await saveTables(this.#iptables))
  }
}

function* portsOf(plans: Plans): Iterable<PortPlan> {
  for (const ports of plans.values()) yield* ports
}

function countEndpoints(plans: Plans): number {
  let sum = 0
  for (const port of portsOf(plans)) sum += port.all.length
  return sum
}

function sumByTable(counts: ReadonlyMap<string, number>): { readonly filter: number; readonly nat: number } {
  const sums = { filter: 0, nat: 0 }
  for (const [chain, rules] of counts)
    if (chain.startsWith('nat ')) sums.nat += rules
    else if (chain.startsWith('filter ')) sums.filter += rules
  return sums
}
