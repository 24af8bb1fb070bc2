// The input of iptables-restore that takes away what a Service proxy leaves behind in iptables, ours or kube-proxy's own.
// KUBE-FIREWALL stays: it is the kubelet's as well.
import { isServiceChain } from '#proxy/iptables/chain-name.ts'
import { canaryChain, canaryTables, frameChains, type Jump, jumps, type Table } from '#proxy/iptables/frame.ts'
import type { Outline } from '#proxy/iptables/found.ts'
import { ipvsChains, ipvsJumps } from '#proxy/ipvs/rules.ts'

/** Modes that write iptables rules. Some of their chains have the same names. */
export type IptablesUser = 'iptables' | 'ipvs'

/** '' where there is nothing. What `kept` uses under the same names stays. */
export function renderCleanup(found: Outline, gone: readonly IptablesUser[], kept?: IptablesUser): string {
  return (['mangle', 'filter', 'nat'] as const)
    .map((table) => {
      const keptChains = kept === undefined ? [] : chainsOf(kept, table, found)
      const keptJumps = kept === undefined ? [] : jumpsOf(kept)
      const chains = new Set(gone.flatMap((user) => chainsOf(user, table, found)))
      const left = [...chains].filter(
        (chain) => found.rulesOf(table, chain) !== undefined && !keptChains.includes(chain),
      )
      const removed = gone
        .flatMap(jumpsOf)
        .filter((jump) => jump.table === table && found.hasJump(jump) && !keptJumps.some((one) => isSame(one, jump)))
      const lines = [
        ...left.map((chain) => `:${chain} - [0:0]`),
        ...new Set(removed.map(({ from, rule }) => `-D ${from} ${rule}`)),
        ...left.map((chain) => `-X ${chain}`),
      ]
      return lines.length === 0 ? '' : `*${table}\n${lines.join('\n')}\nCOMMIT\n`
    })
    .join('')
}

const jumpsOf = (user: IptablesUser): readonly Jump[] => (user === 'ipvs' ? ipvsJumps : jumps)

const isSame = (a: Jump, b: Jump) => a.table === b.table && a.from === b.from && a.rule === b.rule

function chainsOf(user: IptablesUser, table: Table, found: Outline): readonly string[] {
  if (user === 'ipvs') return table === 'mangle' ? [] : ipvsChains[table]
  return [
    ...(table === 'mangle' ? [] : frameChains[table]),
    ...(canaryTables.includes(table) ? [canaryChain] : []),
    ...(table === 'nat' ? found.serviceChains.filter(isServiceChain) : []),
  ]
}
