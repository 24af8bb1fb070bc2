// The input of iptables-restore that takes away all that a Service proxy in iptables mode leaves behind, ours or
// kube-proxy's own. KUBE-FIREWALL stays: it is the kubelet's as well.
import { isServiceChain } from '#proxy/iptables/chain-name.ts'
import { canaryChain, canaryTables, frameChains, type Jump, jumps, type Table } from '#proxy/iptables/frame.ts'
import type { Outline } from '#proxy/iptables/found.ts'

/** '' where there is nothing. `kept`: what another mode has under the same names. */
export function renderCleanup(
  found: Outline,
  kept: { readonly chains: ChainsByTable; readonly jumps: readonly Jump[] } = { chains: {}, jumps: [] },
): string {
  const chainsOf = (table: Table) => [
    ...(table === 'mangle' ? [] : frameChains[table]),
    ...(canaryTables.includes(table) ? [canaryChain] : []),
    ...(table === 'nat' ? found.serviceChains.filter(isServiceChain) : []),
  ]
  const without = (table: Table) => chainsOf(table).filter((chain) => !kept.chains[table]?.includes(chain))
  const chains = { mangle: without('mangle'), filter: without('filter'), nat: without('nat') }
  return renderRemoval(chains, withoutJumps(jumps, kept.jumps), found)
}

export type ChainsByTable = Readonly<Partial<Record<Table, readonly string[]>>>

/** Takes away these jumps, and then these chains, as far as they are there. */
export function renderRemoval(chains: ChainsByTable, jumps: readonly Jump[], found: Outline): string {
  return (['mangle', 'filter', 'nat'] as const)
    .map((table) => {
      const gone = (chains[table] ?? []).filter((chain) => found.rulesOf(table, chain) !== undefined)
      const removed = jumps.filter((jump) => jump.table === table && found.hasJump(jump))
      const lines = [
        ...gone.map((chain) => `:${chain} - [0:0]`),
        ...removed.map(({ from, rule }) => `-D ${from} ${rule}`),
        ...gone.map((chain) => `-X ${chain}`),
      ]
      return lines.length === 0 ? '' : `*${table}\n${lines.join('\n')}\nCOMMIT\n`
    })
    .join('')
}

export const withoutJumps = (all: readonly Jump[], kept: readonly Jump[]): readonly Jump[] =>
  all.filter(
    ({ table, from, rule }) => !kept.some((one) => one.table === table && one.from === from && one.rule === rule),
  )
