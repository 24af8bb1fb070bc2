// Why a node cannot take a pod: Kubernetes' rules, in its order and its words. The first rule that objects is named.

import type { Pod, Taint } from '#api/core.ts'
import type { Stored } from '#api/stored.ts'
import { isTolerated } from '#api/taint.ts'
import { matchesNode } from '#controllers/scheduler/node-affinity.ts'
import type { Neighbours } from '#controllers/scheduler/pod-affinity.ts'
import { type Amounts, hostPortsOf, portsCollide, requestsOf } from '#controllers/scheduler/resources.ts'
import type { NodeView } from '#controllers/scheduler/view.ts'
import type { VolumeNeeds } from '#controllers/scheduler/volumes.ts'

const cordoned: Taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }

/** What is worked out once for a pod and then asked of every node. */
export type Wanted = {
  readonly pod: Stored<Pod>
  readonly requests: Amounts
  readonly hostPorts: readonly string[]
  readonly neighbours: Neighbours
  readonly spread: (view: NodeView) => string | undefined
  readonly volumes: VolumeNeeds
}

export function wantedBy(
  pod: Stored<Pod>,
  neighbours: Neighbours,
  spread: Wanted['spread'],
  volumes: VolumeNeeds,
): Wanted {
  return { pod, requests: requestsOf(pod), hostPorts: hostPortsOf(pod), neighbours, spread, volumes }
}

/** The reasons; none: the node fits. */
export function objections(wanted: Wanted, view: NodeView): readonly string[] {
  const { pod, hostPorts, neighbours, spread } = wanted
  const { node } = view
  const { tolerations } = pod.spec
  if (node.spec.unschedulable === true && !isTolerated(cordoned, tolerations)) return ['node(s) were unschedulable']
  const hard = (node.spec.taints ?? []).filter(({ effect }) => effect === 'NoSchedule' || effect === 'NoExecute')
  if (hard.some((taint) => !isTolerated(taint, tolerations))) return ['node(s) had untolerated taint(s)']
  if (!matchesNode(pod, view)) return ["node(s) didn't match Pod's node affinity/selector"]
  if (hostPorts.some((port) => view.hostPorts.some((taken) => portsCollide(port, taken))))
    return ["node(s) didn't have free ports for the requested pod ports"]
  const short = shortages(wanted.requests, view)
  if (short.length > 0) return short
  const objection = wanted.volumes.objection(view) ?? spread(view) ?? neighbours.objection(view)
  return objection === undefined ? [] : [objection]
}

/** A node that does not say how much it has is taken to have enough. */
function shortages(requests: Amounts, { allocatable, used, pods }: NodeView): readonly string[] {
  const reasons: string[] = []
  const most = allocatable.get('pods')
  if (most !== undefined && pods.length + 1 > most) reasons.push('Too many pods')
  for (const [name, amount] of requests) {
    if (amount === 0) continue
    const has = allocatable.get(name) ?? (isExtended(name) ? 0 : Infinity)
    if (amount > has - (used.get(name) ?? 0)) reasons.push(`Insufficient ${name}`)
  }
  return reasons
}

const isExtended = (name: string): boolean => name.includes('/')
