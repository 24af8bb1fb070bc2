// The iptables rules of flannel, with its names and texts: pods talk to each other by their own addresses, and to the world
// by the node's. kube-proxy's mark 0x4000 means that it masquerades itself.

import { renderRuleLine } from '#kernel/iptables/save.ts'
import type { Match, Rule } from '#kernel/iptables/rule.ts'
import type { Family } from '#flannel/lease.ts'

/** A chain of our own, and the jump to it from a built-in one. */
export type OwnChain = {
  readonly table: 'nat' | 'filter'
  readonly name: string
  readonly from: string
  readonly jump: Rule
  /** the jump stands before what others have there */
  readonly isFirst?: boolean
  readonly rules: readonly Rule[]
}
export type MasqueradeInput = {
  readonly family: Family
  readonly network: string
  /** this node's own range */
  readonly subnet: string
  /** ports at random, so that two connections do not meet the same one (where iptables knows how) */
  readonly randomFully: boolean
}

const multicast = { 4: '224.0.0.0/4', 6: 'ff00::/8' } as const
const kubeProxyMark = { value: 0x4000, mask: 0x4000 }

/** FLANNEL-POSTRTG. The order counts: the first rule that fits decides. */
export function masqueradeChain({ family, network, subnet, randomFully }: MasqueradeInput): OwnChain {
  const [all, own, masquerade] = [
    { value: network },
    { value: subnet },
    { kind: 'masquerade' as const, ...(randomFully && { randomFully: true as const }) },
  ]
  const done = { kind: 'verdict', verdict: 'RETURN' } as const
  const comment: Match = { kind: 'comment', text: 'flanneld masq' }
  const rule = (rest: Omit<Rule, 'matches'>): Rule => ({ ...rest, matches: [comment] })
  return {
    table: 'nat',
    name: 'FLANNEL-POSTRTG',
    from: 'POSTROUTING',
    jump: rule({ target: { kind: 'jump', chain: 'FLANNEL-POSTRTG' } }),
    rules: [
      { matches: [{ kind: 'mark', mark: { value: kubeProxyMark } }, comment], target: done },
      rule({ source: own, destination: all, target: done }),
      rule({ source: all, destination: own, target: done }),
      // From outside to a pod here: the pod shall see who it is.
      rule({ source: { ...all, not: true }, destination: own, target: done }),
      rule({ source: all, destination: { value: multicast[family], not: true }, target: masquerade }),
      // From a node to a pod elsewhere.
      rule({ source: { ...all, not: true }, destination: all, target: masquerade }),
    ],
  }
}

/** FLANNEL-FWD: forwards what is from or to pods, also where the policy of FORWARD is DROP. */
export function forwardChain(network: string): OwnChain {
  const matches: Match[] = [{ kind: 'comment', text: 'flanneld forward' }]
  const target = { kind: 'verdict', verdict: 'ACCEPT' } as const
  return {
    table: 'filter',
    name: 'FLANNEL-FWD',
    from: 'FORWARD',
    jump: { matches, target: { kind: 'jump', chain: 'FLANNEL-FWD' } },
    rules: [
      { source: { value: network }, matches, target },
      { destination: { value: network }, matches, target },
    ],
  }
}

/**
 * FLANNEL-WALL: what pods of this network and of others on the same nodes send each other is dropped. On the wire VNIs keep
 * networks apart; within a node, which routes for all of them, this does.
 */
export function wallChain(network: string, others: readonly string[]): OwnChain {
  const matches: Match[] = [{ kind: 'comment', text: 'flanneld wall' }]
  const target = { kind: 'verdict', verdict: 'DROP' } as const
  return {
    table: 'filter',
    name: 'FLANNEL-WALL',
    from: 'FORWARD',
    isFirst: true,
    jump: { matches, target: { kind: 'jump', chain: 'FLANNEL-WALL' } },
    rules: others.flatMap((other) => [
      { source: { value: network }, destination: { value: other }, matches, target },
      { source: { value: other }, destination: { value: network }, matches, target },
    ]),
  }
}

/** What `iptables -S CHAIN` says of a chain that is as it should be. */
export function listingOf({ name, rules }: OwnChain): string {
  return [`-N ${name}`, ...rules.map((rule) => renderRuleLine(name, rule))].join('\n')
}

/** Input of iptables-restore --noflush: makes the chain anew in one step, and adds the jump where it is missing. */
export function renderRestore({ table, name, from, jump, isFirst, rules }: OwnChain, hasJump: boolean): string {
  const lines = rules.map((rule) => renderRuleLine(name, rule))
  const jumpLine = renderRuleLine(from, jump).replace(/^-A/, isFirst ? '-I' : '-A')
  return `${[`*${table}`, `:${name} - [0:0]`, ...lines, ...(hasJump ? [] : [jumpLine]), 'COMMIT'].join('\n')}\n`
}

const chainNames = { nat: 'FLANNEL-POSTRTG', filter: 'FLANNEL-FWD' } as const

/** Input of iptables-restore --noflush that takes our chain and the jumps to it away; undefined where it is not there. */
export function renderRemoval(table: OwnChain['table'], saved: string): string | undefined {
  const name = chainNames[table]
  const lines = saved.split('\n')
  if (!lines.some((line) => line.startsWith(`:${name} `))) return undefined
  const jumps = lines.filter((line) => line.startsWith('-A ') && line.endsWith(` -j ${name}`))
  const removals = jumps.map((line) => line.replace(/^-A/, '-D'))
  return `${[`*${table}`, ...removals, `-F ${name}`, `-X ${name}`, 'COMMIT'].join('\n')}\n`
}
