// The input of iptables-restore --noflush: everything at once, or only what differs between two plans.
import { canaryChain, canaryTables, frameChains, jumps, kubeletChain, kubeletJumps } from '#proxy/iptables/frame.ts'
import { type Jump, nodePortRules, renderFrame, type Table } from '#proxy/iptables/frame.ts'
import { renderChains, renderFronts, type SharedChain, sharedChains } from '#proxy/iptables/port-rules.ts'
import type { RenderOptions } from '#proxy/iptables/render-options.ts'
import type { PortPlan } from '#proxy/plan/plan.ts'

/** Collects the lines of a table: a chain's line empties it, rules follow, whole chains go last. */
class TableText {
  readonly #name: Table
  readonly #chains: string[] = []
  readonly #rules: string[] = []
  readonly #deletions: string[] = []
  /** how many rules were appended: all but jumps and single rules put in front */
  added = 0

  constructor(name: Table) {
    this.#name = name
  }

  /** Makes the chain, or empties it. */
  empty(chain: string): void {
    this.#chains.push(`:${chain} - [0:0]\n`)
  }
  add(chain: string, rule: string): void {
    this.#rules.push(`-A ${chain} ${rule}\n`)
    this.added++
  }
  /** In front of all other rules of the chain. */
  insert(chain: string, rule: string): void {
    this.#rules.push(`-I ${chain} ${rule}\n`)
  }
  remove(chain: string, rule: string): void {
    this.#rules.push(`-D ${chain} ${rule}\n`)
  }
  delete(chain: string): void {
    this.empty(chain)
    this.#deletions.push(`-X ${chain}\n`)
  }
  fill(chain: string, rules: readonly string[]): void {
    this.empty(chain)
    for (const rule of rules) this.add(chain, rule)
  }

  toString(): string {
    const lines = this.#chains.length + this.#rules.length + this.#deletions.length
    if (lines === 0) return ''
    return `*${this.#name}\n${this.#chains.join('')}${this.#rules.join('')}${this.#deletions.join('')}COMMIT\n`
  }
}

export type Restore = {
  /** '' where nothing differs */
  readonly text: string
  readonly rules: { readonly filter: number; readonly nat: number }
}

/** What is in the kernel before everything is written. */
export type Found = {
  hasJump(jump: Jump): boolean
  hasChain(table: Table, chain: string): boolean
  /** chains of Services, of now or of earlier, in table nat */
  readonly serviceChains: readonly string[]
}

/** Everything: our chains filled anew in one step, missing jumps put in front, chains of Services that are gone deleted. */
export function renderWhole(plans: Iterable<PortPlan>, options: RenderOptions, found: Found): Restore {
  const tables = { mangle: new TableText('mangle'), filter: new TableText('filter'), nat: new TableText('nat') }
  for (const table of canaryTables) tables[table].empty(canaryChain)
  for (const table of ['filter', 'nat'] as const) for (const chain of frameChains[table]) tables[table].empty(chain)
  // The kubelet may have rules of its own in the chain that it shares with us.
  if (!found.hasChain('filter', kubeletChain)) tables.filter.empty(kubeletChain)
  for (const { table, chain, rules } of renderFrame(options)) {
    if (chain === kubeletChain && rules.length > 0) tables[table].empty(chain)
    for (const rule of rules) tables[table].add(chain, rule)
  }
  for (const jump of [...jumps, ...kubeletJumps])
    if (!found.hasJump(jump)) tables[jump.table].insert(jump.from, jump.rule)
  const used = new Set<string>()
  const sink = {
    share: (chain: SharedChain, rule: string) => tables[tableOf(chain)].add(nameOf(chain), rule),
    own(chain: string, rules: readonly string[]) {
      tables.nat.fill(chain, rules)
      used.add(chain)
    },
  }
  for (const plan of plans) {
    renderFronts(plan, options, sink)
    renderChains(plan, options, sink)
  }
  for (const rule of nodePortRules(options)) tables.nat.add('KUBE-SERVICES', rule)
  for (const chain of found.serviceChains) if (!used.has(chain)) tables.nat.delete(chain)
  return restoreOf(tables)
}

/** Above so many rules that come or go, a chain of all Services is written anew rather than searched for each. */
const fewRules = 16

/**
 * Only what differs: chains of the changed Services, and the rules that came or went in the chains of all Services. The
 * order in those does not matter, but that NodePorts come last in KUBE-SERVICES: new rules go in front there.
 */
export function renderChange(
  before: readonly PortPlan[],
  after: readonly PortPlan[],
  all: () => Iterable<PortPlan>,
  options: RenderOptions,
): Restore {
  const tables = { filter: new TableText('filter'), nat: new TableText('nat') }
  const old = collect(before, options)
  const now = collect(after, options)
  for (const [chain, rules] of now.chains)
    if (!equalLists(old.chains.get(chain) ?? [], rules)) tables.nat.fill(chain, rules)
  const rewritten: SharedChain[] = []
  for (const chain of sharedChains) {
    const had = old.shared.get(chain) ?? []
    const has = now.shared.get(chain) ?? []
    const gone = difference(had, has)
    const come = difference(has, had)
    const table = tables[tableOf(chain)]
    if (gone.length + come.length > fewRules) rewritten.push(chain)
    else {
      for (const rule of gone) table.remove(nameOf(chain), rule)
      if (chain === 'nat KUBE-SERVICES') for (const rule of come.toReversed()) table.insert(nameOf(chain), rule)
      else for (const rule of come) table.add(nameOf(chain), rule)
    }
  }
  rewrite(rewritten, tables, all, options)
  for (const chain of old.chains.keys()) if (!now.chains.has(chain)) tables.nat.delete(chain)
  return restoreOf(tables)
}

/** How many rules each of our chains has when everything is written, by `table CHAIN`. */
export function countRules(plans: Iterable<PortPlan>, options: RenderOptions): Map<string, number> {
  const counts = new Map<string, number>()
  const count = (chain: string, rules: number) => counts.set(chain, (counts.get(chain) ?? 0) + rules)
  for (const table of canaryTables) count(`${table} ${canaryChain}`, 0)
  for (const table of ['filter', 'nat'] as const) for (const chain of frameChains[table]) count(`${table} ${chain}`, 0)
  for (const { table, chain, rules } of renderFrame(options)) count(`${table} ${chain}`, rules.length)
  count('nat KUBE-SERVICES', nodePortRules(options).length)
  const sink = {
    share: (chain: SharedChain) => count(chain, 1),
    own: (chain: string, rules: readonly string[]) => count(`nat ${chain}`, rules.length),
  }
  for (const plan of plans) {
    renderFronts(plan, options, sink)
    renderChains(plan, options, sink)
  }
  return counts
}

function rewrite(
  chains: readonly SharedChain[],
  tables: Readonly<Record<'filter' | 'nat', TableText>>,
  all: () => Iterable<PortPlan>,
  options: RenderOptions,
): void {
  if (chains.length === 0) return
  for (const chain of chains) tables[tableOf(chain)].empty(nameOf(chain))
  const share = (chain: SharedChain, rule: string) => {
    if (chains.includes(chain)) tables[tableOf(chain)].add(nameOf(chain), rule)
  }
  for (const plan of all()) renderFronts(plan, options, { share })
  if (chains.includes('nat KUBE-SERVICES'))
    for (const rule of nodePortRules(options)) tables.nat.add('KUBE-SERVICES', rule)
}

type Collected = {
  readonly shared: ReadonlyMap<SharedChain, readonly string[]>
  readonly chains: ReadonlyMap<string, readonly string[]>
}

function collect(plans: readonly PortPlan[], options: RenderOptions): Collected {
  const shared = new Map<SharedChain, string[]>()
  const chains = new Map<string, readonly string[]>()
  const sink = {
    share(chain: SharedChain, rule: string) {
      const rules = shared.get(chain)
      if (rules === undefined) shared.set(chain, [rule])
      else rules.push(rule)
    },
    own: (chain: string, rules: readonly string[]) => chains.set(chain, rules),
  }
  for (const plan of plans) {
    renderFronts(plan, options, sink)
    renderChains(plan, options, sink)
  }
  return { shared, chains }
}

const tableOf = (chain: SharedChain) => chain.slice(0, chain.indexOf(' ')) as 'filter' | 'nat'
const nameOf = (chain: SharedChain) => chain.slice(chain.indexOf(' ') + 1)

const restoreOf = (tables: { readonly filter: TableText; readonly nat: TableText; readonly mangle?: TableText }) => ({
  text: `${tables.mangle ?? ''}${tables.filter}${tables.nat}`,
  rules: { filter: tables.filter.added, nat: tables.nat.added },
})

const equalLists = (a: readonly string[], b: readonly string[]) =>
  a.length === b.length && a.every((line, i) => line === b[i])

function difference(from: readonly string[], other: readonly string[]): string[] {
  const known = new Set(other)
  return from.filter((line) => !known.has(line))
}
