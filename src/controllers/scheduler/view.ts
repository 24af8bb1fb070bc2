// The cluster as the scheduler sees it: each node with the pods on it.

import type { Node, Pod } from '#api/core.ts'
import { isPodTerminal } from '#api/pod-state.ts'
import type { Labels } from '#api/selector.ts'
import type { VolumeView } from '#controllers/scheduler/volumes.ts'
import type { Stored } from '#api/stored.ts'
import { type Amounts, add, amountsOf, hostPortsOf, requestsOf, weightOf } from '#controllers/scheduler/resources.ts'

export type NodeView = {
  readonly node: Stored<Node>
  readonly labels: Labels
  /** those that have not finished */
  readonly pods: readonly Stored<Pod>[]
  readonly allocatable: Amounts
  readonly used: Amounts
  readonly weight: { readonly cpu: number; readonly memory: number }
  readonly hostPorts: readonly string[]
}

export type ClusterView = {
  readonly nodes: readonly NodeView[]
  readonly namespaceLabels: (namespace: string) => Labels
  /** selectors of the Services and controllers that a pod belongs to */
  readonly groupsOf: (pod: Stored<Pod>) => readonly Labels[]
  readonly volumes: VolumeView
}

export function viewOf(node: Stored<Node>, all: Iterable<Stored<Pod>>): NodeView {
  const pods = [...all].filter((pod) => !isPodTerminal(pod))
  const used = new Map<string, number>()
  const weight = { cpu: 0, memory: 0 }
  for (const pod of pods) {
    add(used, requestsOf(pod))
    const its = weightOf(pod)
    weight.cpu += its.cpu
    weight.memory += its.memory
  }
  return {
    node,
    labels: node.metadata.labels ?? {},
    pods,
    allocatable: amountsOf(node.status?.allocatable ?? node.status?.capacity),
    used,
    weight,
    hostPorts: pods.flatMap(hostPortsOf),
  }
}

/** The part of the cluster that a node is in, for a topology key; undefined: none. */
export const domainOf = ({ labels }: NodeView, key: string): string | undefined => labels[key]
