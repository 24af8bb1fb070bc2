// The input of iptables-restore --noflush: whatever is not there of everything, or what differs between two plans.
import { eachChain, nameOf, tableOf } from '#proxy/iptables/all-chains.ts'
import { type Jump, jumps, kubeletChain, kubeletJumps, nodePortRules, type Table } from '#proxy/iptables/frame.ts'
import { renderChains, renderFronts, type SharedChain, sharedChains } from '#proxy/iptables/port-rules.ts'
import type { RenderOptions } from '#proxy/iptables/render-options.ts'
import { ruleLine, TableText } from '#proxy/iptables/table-text.ts'
import type { PortPlan } from '#proxy/plan/plan.ts'

export type RuleSums = { readonly filter: number; readonly nat: number }
export type Restore = {
  /** '' where nothing differs */
  readonly text: string
  /** how many rules it writes */
  readonly rules: RuleSums
}

/** What is in the kernel before everything is written. */
export type Found = {
  hasJump(jump: Jump): boolean
  /** the lines of a chain's rules as iptables-save printed them; undefined where there is no such chain */
  rulesOf(table: Table, chain: string): string | undefined
  /** chains of Services, of now or of earlier, in table nat */
  readonly serviceChains: readonly string[]
}

/**
 * Everything: our chains filled anew where they are not as they should be, missing jumps put in front, chains of
 * Services that are gone deleted; all in one step. `total`: how many rules we have in all.
 */
export function renderWhole(
  plans: Iterable<PortPlan>,
  options: RenderOptions,
  found: Found,
): Restore & { readonly total: RuleSums } {
  const tables = { mangle: new TableText('mangle'), filter: new TableText('filter'), nat: new TableText('nat') }
  const total = { mangle: 0, filter: 0, nat: 0 }
  const used = new Set<string>()
  eachChain(plans, options, (table, chain, rules, last) => {
    total[table] += rules.length
    if (table === 'nat') used.add(chain)
    const there = found.rulesOf(table, chain)
    // The kubelet may have rules of its own in the chain that it shares with us.
    const isRight = chain === kubeletChain && rules.length === 0 ? there !== undefined : isAs(there, chain, rules, last)
    if (!isRight) tables[table].fill(chain, rules)
  })
  for (const jump of [...jumps, ...kubeletJumps])
    if (!found.hasJump(jump)) tables[jump.table].insert(jump.from, jump.rule)
  for (const chain of found.serviceChains) if (!used.has(chain)) tables.nat.delete(chain)
  const { mangle, filter, nat } = tables
  return { text: `${mangle}${filter}${nat}`, rules: { filter: filter.added, nat: nat.added }, total }
}

/** An iptables that prints rules in other words than ours only costs that they are written again. */
function isAs(there: string | undefined, chain: string, rules: readonly string[], last: number | undefined): boolean {
  if (there === undefined) return false
  const lines = rules.map((rule) => ruleLine(chain, rule))
  if (last === undefined) return there === lines.join('')
  const split = lines.length - last
  const had = there
    .split('\n')
    .slice(0, -1)
    .map((line) => `${line}\n`)
  return (
    had.length === lines.length &&
    equalLists(had.slice(split), lines.slice(split)) &&
    equalLists(had.slice(0, split).sort(), lines.slice(0, split).sort())
  )
}

/** Above so many rules that come or go, a chain of all Services is written anew rather than searched for each. */
const fewRules = 16

/**
 * Only what differs: chains of the changed Services, and the rules that came or went in the chains of all Services. The
 * order in those does not matter, but that NodePorts come last in KUBE-SERVICES: new rules go in front there.
 *
 * Tables are written one after the other. A packet between two of them must not pass as if no Service were there, since
 * table nat is never asked again about its connection: what table filter refuses comes before table nat has changed, and goes
 * after it.
 */
export function renderChange(
  before: readonly PortPlan[],
  after: readonly PortPlan[],
  all: () => Iterable<PortPlan>,
  options: RenderOptions,
): Restore {
  const [filter, nat, filterAfter] = [new TableText('filter'), new TableText('nat'), new TableText('filter')]
  const old = collect(before, options)
  const now = collect(after, options)
  for (const [chain, rules] of now.chains) if (!equalLists(old.chains.get(chain) ?? [], rules)) nat.fill(chain, rules)
  const rewritten: SharedChain[] = []
  for (const chain of sharedChains) {
    const had = old.shared.get(chain) ?? []
    const has = now.shared.get(chain) ?? []
    const gone = difference(had, has)
    const come = difference(has, had)
    const isFilter = tableOf(chain) === 'filter'
    if (isFilter) for (const rule of come) filter.add(nameOf(chain), rule)
    if (gone.length + come.length > fewRules) {
      rewritten.push(chain)
      continue
    }
    for (const rule of gone) (isFilter ? filterAfter : nat).remove(nameOf(chain), rule)
    if (chain === 'nat KUBE-SERVICES') for (const rule of come.toReversed()) nat.insert(nameOf(chain), rule)
    else if (!isFilter) for (const rule of come) nat.add(nameOf(chain), rule)
  }
  rewrite(rewritten, { filter: filterAfter, nat }, all, options)
  for (const chain of old.chains.keys()) if (!now.chains.has(chain)) nat.delete(chain)
  return {
    text: `${filter}${nat}${filterAfter}`,
    rules: { filter: filter.added + filterAfter.added, nat: nat.added },
  }
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

const equalLists = (a: readonly string[], b: readonly string[]) =>
  a.length === b.length && a.every((line, i) => line === b[i])

function difference(from: readonly string[], other: readonly string[]): string[] {
  const known = new Set(other)
  return from.filter((line) => !known.has(line))
}
