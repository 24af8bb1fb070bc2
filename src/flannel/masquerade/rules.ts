// What happens to the packets of pods, in whatever form the kernel is told it: they talk to each other by their own
// addresses, and to the world by the node's. The order of rules counts: the first that fits decides.

import type { Family } from '#flannel/lease.ts'

/** What the rules of one family depend on. */
export type RulesInput = {
  readonly family: Family
  readonly network: string
  /** this node's own range */
  readonly subnet: string
  /** told apart from those of other networks on the same node by this end of their name; '' for the usual one */
  readonly suffix: string
  readonly masquerade: boolean
  /** ports at random, so that two connections do not meet the same one */
  readonly randomFully: boolean
  /** what is from or to pods is forwarded, also where others would not */
  readonly forward: boolean
  /** ranges of other networks on the same nodes */
  readonly isolateFrom: readonly string[]
}

export type PacketRule = {
  /** kube-proxy masquerades it itself */
  readonly isMarked?: true
  readonly source?: RangeTest
  readonly destination?: RangeTest
  readonly act: 'return' | 'masquerade' | 'accept' | 'drop'
}
export type RangeTest = { readonly value: string; readonly not?: true }

/** The bit of the packet's mark by which kube-proxy, ours too, says so. */
export const masqueradeMark = 0x4000

const multicast = { 4: '224.0.0.0/4', 6: 'ff00::/8' } as const

export function masqueradeRules({ family, network, subnet, masquerade }: RulesInput): readonly PacketRule[] {
  if (!masquerade) return []
  const [all, own] = [{ value: network }, { value: subnet }]
  const other = { value: network, not: true } as const
  return [
    { isMarked: true, act: 'return' },
    { source: own, destination: all, act: 'return' },
    { source: all, destination: own, act: 'return' },
    // From outside to a pod here: the pod shall see who it is.
    { source: other, destination: own, act: 'return' },
    { source: all, destination: { value: multicast[family], not: true }, act: 'masquerade' },
    // From a node to a pod elsewhere.
    { source: other, destination: all, act: 'masquerade' },
  ]
}

export function forwardRules({ network, forward }: RulesInput): readonly PacketRule[] {
  if (!forward) return []
  return [
    { source: { value: network }, act: 'accept' },
    { destination: { value: network }, act: 'accept' },
  ]
}

/**
 * What pods of this network and of others on the same nodes send each other is dropped. On the wire VNIs keep networks apart;
 * within a node, which routes for all of them, this does.
 */
export function wallRules({ network, isolateFrom }: RulesInput): readonly PacketRule[] {
  return isolateFrom.flatMap((other) => [
    { source: { value: network }, destination: { value: other }, act: 'drop' as const },
    { source: { value: other }, destination: { value: network }, act: 'drop' as const },
  ])
}
