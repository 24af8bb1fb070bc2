// What is known of machines. Whatever is undefined is not known, which is another thing than empty: the walk then says
// what it could not decide, and for lack of what. A machine is a network namespace: a node, or a pod.

import type { DumpedConnection } from '#kernel/dump/connections.ts'
import type { DumpedRoute } from '#kernel/dump/ip-route.ts'
import type { DumpedRule } from '#kernel/dump/ip-rule.ts'
import type { SavedSet } from '#kernel/dump/ipset.ts'
import type { VirtualServer } from '#kernel/dump/ipvsadm.ts'
import type { DumpedLink } from '#kernel/dump/link.ts'
import type { DumpedForwarding, DumpedNeighbour } from '#kernel/dump/neighbour.ts'
import type { ListeningSocket } from '#kernel/dump/sockets.ts'
import type { Sysctls } from '#kernel/dump/sysctl.ts'
import type { Rule } from '#kernel/iptables/rule.ts'
import type { NftRule, NftRuleset } from '#kernel/nftables/ruleset.ts'

/** Where a rule was read, for people to find it again. `line` counts from 1. */
export type Origin = { readonly file: string; readonly line: number }

export type TracedChain = {
  readonly name: string
  readonly policy?: string
  readonly rules: readonly Rule[]
  readonly file: string
  /** the line of each rule */
  readonly lines: readonly number[]
}

/** iptables' tables of one family, by table and chain. */
export type IptablesRules = ReadonlyMap<string, ReadonlyMap<string, TracedChain>>

/** One dump of iptables: a machine may have rules of both back ends at once. */
export type IptablesDump = {
  readonly family: 4 | 6
  readonly backend: 'nft' | 'legacy' | 'unknown'
  readonly rules: IptablesRules
}

/** nftables down to its instructions; `sources`: where rules stand in a text, if they were read from one. */
export type NftDump = {
  readonly ruleset: NftRuleset
  readonly sources?: ReadonlyMap<NftRule, { readonly text: string; readonly origin: Origin }>
}

export type Machine = {
  readonly name: string
  readonly iptables: readonly IptablesDump[]
  readonly nftables?: NftDump
  /** interfaces, with their addresses where those are known */
  readonly links?: readonly DumpedLink[]
  readonly routes?: readonly DumpedRoute[]
  readonly rules?: readonly (DumpedRule & { readonly family?: 4 | 6 })[]
  readonly neighbours?: readonly DumpedNeighbour[]
  readonly forwarding?: readonly DumpedForwarding[]
  readonly sysctls?: Sysctls
  readonly sets?: readonly SavedSet[]
  readonly virtualServers?: readonly VirtualServer[]
  readonly connections?: readonly DumpedConnection[]
  /** who waits for others, by protocol */
  readonly sockets?: Readonly<Partial<Record<'tcp' | 'udp', readonly ListeningSocket[]>>>
}

export const emptyMachine = (name: string): Machine => ({ name, iptables: [] })

/** Things that are computed once for each machine. */
export function perMachine<T>(compute: (machine: Machine) => T): (machine: Machine) => T {
  const known = new WeakMap<Machine, { readonly value: T }>()
  return (machine) => {
    const found = known.get(machine)
    if (found !== undefined) return found.value
    const value = compute(machine)
    known.set(machine, { value })
    return value
  }
}

/** Its own addresses, or undefined where they are not known. */
export const addressesOf = perMachine((machine): ReadonlySet<string> | undefined => {
  const links = machine.links?.filter((link) => link.addresses !== undefined)
  const routes = machine.routes?.filter((route) => route.type === 'local' && !route.destination.startsWith('127.'))
  if ((links === undefined || links.length === 0) && (routes === undefined || routes.length === 0)) return undefined
  return new Set([
    ...(links ?? []).flatMap((link) => link.addresses!.map(({ ip }) => ip)),
    ...(routes ?? []).map((route) => route.destination.split('/')[0]!),
  ])
})
