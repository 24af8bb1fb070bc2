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
}

export function toNodeView(node: Node, prefix: string): NodeView {
  const { name = '', uid = '', creationTimestamp = '', annotations = {} } = node.metadata ?? {}
  const { podCIDRs, podCIDR } = node.spec ?? {}
  const condition = node.status?.conditions?.find(({ type }) => type === 'NetworkUnavailable')
  return {
    name,
    uid,
    createdAt: creationTimestamp,
    podCidrs: podCIDRs ?? (podCIDR ? [podCIDR] : []),
    annotations: Object.fromEntries(Object.entries(annotations).filter(([key]) => key.startsWith(prefix))),
    networkUnavailable: condition?.status,
  }
}

/** Kubelets write their nodes every few seconds; nearly all of that is nothing to flannel. */
export function equalNodeView(a: NodeView, b: NodeView): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
