// The input of iptables-restore that takes away all that a Service proxy in iptables mode leaves behind, ours or
// kube-proxy's own. KUBE-FIREWALL stays: it is the kubelet's as well.
import { isServiceChain } from '#proxy/iptables/chain-name.ts'
import { canaryChain, canaryTables, frameChains, jumps, type Table } from '#proxy/iptables/frame.ts'
import type { Outline } from '#proxy/iptables/found.ts'

/** '' where there is nothing. */
export function renderCleanup(found: Outline): string {
  return (['mangle', 'filter', 'nat'] as const).map((table) => cleanTable(table, found)).join('')
}

function cleanTable(table: Table, found: Outline): string {
  const chains = [
    ...(table === 'mangle' ? [] : frameChains[table]),
    ...(canaryTables.includes(table) ? [canaryChain] : []),
    ...(table === 'nat' ? found.serviceChains.filter(isServiceChain) : []),
  ].filter((chain) => found.rulesOf(table, chain) !== undefined)
  const removed = jumps.filter((jump) => jump.table === table && found.hasJump(jump))
  if (chains.length === 0) return ''
  const lines = [
    ...chains.map((chain) => `:${chain} - [0:0]`),
    ...removed.map(({ from, rule }) => `-D ${from} ${rule}`),
    ...chains.map((chain) => `-X ${chain}`),
  ]
  return `*${table}\n${lines.join('\n')}\nCOMMIT\n`
}
