// Every chain of ours with its rules, as it is when everything is written.
import { canaryChain, canaryTables, nodePortRules, renderFrame, type Table } from '#proxy/iptables/frame.ts'
import { renderChains, renderFronts, type SharedChain, sharedChains } from '#proxy/iptables/port-rules.ts'
import type { RenderOptions } from '#proxy/iptables/render-options.ts'
import type { PortPlan } from '#proxy/plan/plan.ts'

/**
 * Takes a chain; rules are what stands behind `-A CHAIN `. `last`: this many rules at the end must stay there, while the
 * order of the others does not matter; undefined: the order of all matters.
 */
export type VisitChain = (table: Table, chain: string, rules: readonly string[], last?: number) => void

export const tableOf = (chain: SharedChain): 'filter' | 'nat' => (chain.startsWith('nat ') ? 'nat' : 'filter')
export const nameOf = (chain: SharedChain): string => chain.slice(chain.indexOf(' ') + 1)

export function eachChain(plans: Iterable<PortPlan>, options: RenderOptions, visit: VisitChain): void {
  for (const table of canaryTables) visit(table, canaryChain, [])
  const framed = renderFrame(options)
  for (const { table, chain, rules } of framed) visit(table, chain, rules)
  const shared = new Map<SharedChain, string[]>(sharedChains.map((chain) => [chain, []]))
  const sink = {
    share: (chain: SharedChain, rule: string) => void shared.get(chain)!.push(rule),
    own: (chain: string, rules: readonly string[]) => visit('nat', chain, rules),
  }
  for (const plan of plans) {
    renderFronts(plan, options, sink)
    renderChains(plan, options, sink)
  }
  const last = nodePortRules(options)
  shared.get('nat KUBE-SERVICES')!.push(...last)
  for (const [chain, rules] of shared)
    visit(tableOf(chain), nameOf(chain), rules, chain === 'nat KUBE-SERVICES' ? last.length : 0)
}

/** How many rules each of our chains has, by `table CHAIN`. */
export function countRules(plans: Iterable<PortPlan>, options: RenderOptions): Map<string, number> {
  const counts = new Map<string, number>()
  eachChain(plans, options, (table, chain, rules) => counts.set(`${table} ${chain}`, rules.length))
  return counts
}
