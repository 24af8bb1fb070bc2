// Why a packet ended on a node beside the proxy's rules: by its routes, its settings, or somebody's firewall.

import { deletionOf, onNode, type Remedy, restart, script } from '#doctor/remedy.ts'
import type { Code } from '#doctor/codes.ts'
import type { Step } from '#trace/way.ts'

/** Faults of a node that hit every Service alike. */
export const sharedCodes: readonly Code[] = [
  'ForwardingOff',
  'ReversePathFilter',
  'ForwardDropped',
  'FirewallDrops',
  'RouteMissing',
  'PathBroken',
]

export function codeOfEnding({ effect, place }: Pick<Step, 'effect' | 'place'>): Code {
  if (effect.includes('does not forward')) return 'ForwardingOff'
  if (effect.includes('policy of FORWARD')) return 'ForwardDropped'
  if (place === 'routing') return /rp_filter|source/.test(effect) ? 'ReversePathFilter' : 'RouteMissing'
  return ['tunnel', 'bridge', 'neighbours', 'conntrack'].includes(place) ? 'PathBroken' : 'FirewallDrops'
}

export function summaryOfEnding(code: Code, where: string): string {
  switch (code) {
    case 'ForwardingOff':
      return `${where}: the kernel forwards no packets`
    case 'ForwardDropped':
      return `${where}: the policy of FORWARD is DROP, and no rule accepts packets of pods`
    case 'ReversePathFilter':
      return `${where}: the kernel does not believe the source of packets (rp_filter)`
    case 'RouteMissing':
      return `${where}: there is no route to pods of another node`
    case 'PathBroken':
      return `${where}: the way between pods of two nodes is broken`
    default:
      return `${where}: a rule of a firewall ends connections of pods and Services`
  }
}

/** `steps`: those that ended the packets. */
export function remedyOfEnding(code: Code, nodes: readonly string[], steps: readonly Step[] = []): readonly Remedy[] {
  const on = (command: string) => nodes.map((node) => onNode(node, command))
  switch (code) {
    case 'ForwardingOff':
      return on('sysctl -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1')
    case 'ForwardDropped':
      return on('iptables -P FORWARD ACCEPT')
    case 'ReversePathFilter':
      return on(script('for file in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 >$file; done'))
    case 'RouteMissing':
    case 'PathBroken':
      return restart('pod-network', nodes)
    default:
      return deletionsOf(steps, 'or let the firewall accept the ranges of pods and node ports before it')
  }
}

/** Takes each rule away on the node that has it. */
export function deletionsOf(steps: readonly Step[], note: string): readonly Remedy[] {
  const found = new Map<string, Remedy>()
  for (const step of steps) {
    const run = deletionOf(step)
    if (run !== undefined) found.set(`${step.machine} ${run}`, onNode(step.machine, run, note))
  }
  return found.size > 0
    ? [...found.values()]
    : [...new Set(steps.map(({ machine }) => machine))].map((node) =>
        onNode(node, 'nft -a list ruleset', `the rule that is shown: nft delete rule ... handle N, ${note}`),
      )
}
