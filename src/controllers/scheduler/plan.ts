// Where a pod goes.

import { type Pod } from '#api/core.ts'
import { podCondition } from '#api/pod-state.ts'
import type { Stored } from '#api/stored.ts'
import { objections, wantedBy } from '#controllers/scheduler/filter.ts'
import { neighboursOf } from '#controllers/scheduler/pod-affinity.ts'
import { bestOf } from '#controllers/scheduler/score.ts'
import { crowdOf, spreadObjection } from '#controllers/scheduler/spread.ts'
import type { ClusterView } from '#controllers/scheduler/view.ts'
import { type Reserved, volumeNeeds } from '#controllers/scheduler/volumes.ts'

export type Placement =
  | {
      readonly kind: 'node'
      readonly name: string
      /** to be done before the pod is bound */ readonly reserved?: Reserved
    }
  /** no node fits; the message says why, for how many each */
  | { readonly kind: 'none'; readonly message: string }

/** Whether a pod waits for us: no node yet, no gate, not on its way out, and no other scheduler named. */
export function isWaiting(pod: Stored<Pod>): boolean {
  const { nodeName, schedulerName = 'default-scheduler', schedulingGates = [] } = pod.spec
  return (
    !nodeName &&
    schedulerName === 'default-scheduler' &&
    schedulingGates.length === 0 &&
    pod.metadata.deletionTimestamp === undefined &&
    pod.status?.phase !== 'Succeeded' &&
    pod.status?.phase !== 'Failed'
  )
}

/** Of higher priority first, then those that have waited longer. */
export function byPriority(a: Stored<Pod>, b: Stored<Pod>): number {
  const [left, right] = [a.metadata, b.metadata]
  const priority = (b.spec.priority ?? 0) - (a.spec.priority ?? 0)
  if (priority !== 0) return priority
  if (left.creationTimestamp !== right.creationTimestamp)
    return left.creationTimestamp < right.creationTimestamp ? -1 : 1
  return left.name < right.name ? -1 : 1
}

export function planPlacement(pod: Stored<Pod>, cluster: ClusterView): Placement {
  if (cluster.nodes.length === 0) return { kind: 'none', message: 'no nodes available to schedule pods' }
  const needs = volumeNeeds(pod, cluster.volumes)
  if (needs.refusal !== undefined)
    return { kind: 'none', message: `0/${cluster.nodes.length} nodes are available: ${needs.refusal}.` }
  const wanted = wantedBy(pod, neighboursOf(pod, cluster), spreadObjection(pod, cluster), needs)
  const reasons = new Map<string, number>()
  const fitting = cluster.nodes.filter((view) => {
    const its = objections(wanted, view)
    for (const reason of its) reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
    return its.length === 0
  })
  const best = bestOf(wanted, fitting, crowdOf(pod, cluster))
  if (best !== undefined) {
    const reserved = needs.reserve(best)
    return { kind: 'node', name: best.node.metadata.name, ...(reserved && { reserved }) }
  }
  const texts = [...reasons].map(([reason, count]) => `${count} ${reason}`).sort()
  return { kind: 'none', message: `0/${cluster.nodes.length} nodes are available: ${texts.join(', ')}.` }
}

/** Whether the pod does not say already that it cannot be scheduled, and why. */
export function isNews(pod: Pod, message: string): boolean {
  const said = podCondition(pod, 'PodScheduled')
  return said?.status !== 'False' || said.reason !== 'Unschedulable' || said.message !== message
}
