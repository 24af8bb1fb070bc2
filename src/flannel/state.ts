// What flannel needs of the Node objects.

import type { Node } from '#api/core.ts'

export type NodeView = {
  readonly name: string
  readonly uid: string
  /** RFC 3339 */
  readonly createdAt: string
  readonly podCidrs: readonly string[]
  /** only those whose name has the prefix */
  readonly annotations: Readonly<Record<string, string>>
  /** status of the condition NetworkUnavailable: 'True', 'False', 'Unknown', or undefined where the node has none */
  readonly networkUnavailable: string | undefined
  /** message of our own condition where it is True, '' where it is not, undefined where the node has none */
  readonly problem: string | undefined
}

/** Our own condition: True while the pods of some node cannot be reached from here. */
export const problemCondition = 'PodNetworkIncomplete'

export function toNodeView(node: Node, prefix: string): NodeView {
  const { name = '', uid = '', creationTimestamp = '', annotations = {} } = node.metadata ?? {}
  const { podCIDRs, podCIDR } = node.spec ?? {}
  const conditionOf = (wanted: string) => node.status?.conditions?.find(({ type }) => type === wanted)
  const problem = conditionOf(problemCondition)
  return {
    name,
    uid,
    createdAt: creationTimestamp,
    podCidrs: podCIDRs ?? (podCIDR ? [podCIDR] : []),
    annotations: Object.fromEntries(Object.entries(annotations).filter(([key]) => key.startsWith(prefix))),
    networkUnavailable: conditionOf('NetworkUnavailable')?.status,
    problem: problem && (problem.status === 'True' ? (problem.message ?? '') : ''),
  }
}

/** Kubelets write their nodes every few seconds; nearly all of that is nothing to flannel. */
export function equalNodeView(a: NodeView, b: NodeView): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
