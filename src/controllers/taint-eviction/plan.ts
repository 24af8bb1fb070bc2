// Pods that may not stay on their node: NoExecute taints that they do not tolerate, or only for a while.

import { type Node, type Pod, type Taint, pods as podResource } from '#api/core.ts'
import type { Stored } from '#api/stored.ts'
import { tolerates } from '#api/taint.ts'
import { formatTime } from '#api/time.ts'
import { type Act, eventAbout, patchOf, targetOf } from '#client/control/act.ts'

/** How long a pod tolerates the NoExecute taints of its node: 0 not at all, Infinity for ever. */
export function toleratedMs(pod: Pod, node: Node): number {
  const taints = (node.spec?.taints ?? []).filter(({ effect }) => effect === 'NoExecute')
  return Math.min(Infinity, ...taints.map((taint) => toleratedTaintMs(pod, taint)))
}

function toleratedTaintMs(pod: Pod, taint: Taint): number {
  const toleration = pod.spec?.tolerations?.find((toleration) => tolerates(toleration, taint))
  if (toleration === undefined) return 0
  const { tolerationSeconds } = toleration
  return tolerationSeconds === undefined ? Infinity : Math.max(0, tolerationSeconds) * 1000
}

export type EvictionPlan =
  | { readonly kind: 'stay' }
  /** tolerated since `sinceMs`, for this long from now on */
  | { readonly kind: 'wait'; readonly sinceMs: number; readonly forMs: number }
  | { readonly kind: 'evict'; readonly acts: readonly Act[] }

/** `sinceMs`: since when the pod has had to tolerate its node's taints, as far as this process has seen. */
export function planEviction(
  pod: Stored<Pod>,
  node: Node | undefined,
  sinceMs: number | undefined,
  nowMs: number,
): EvictionPlan {
  if (node === undefined || pod.metadata.deletionTimestamp !== undefined) return { kind: 'stay' }
  const tolerated = toleratedMs(pod, node)
  if (tolerated === Infinity) return { kind: 'stay' }
  const since = sinceMs ?? nowMs
  const left = since + tolerated - nowMs
  return left > 0 ? { kind: 'wait', sinceMs: since, forMs: left } : { kind: 'evict', acts: evict(pod, nowMs) }
}

function evict(pod: Stored<Pod>, nowMs: number): readonly Act[] {
  const { namespace, name } = pod.metadata
  const others = (pod.status?.conditions ?? []).filter(({ type }) => type !== 'DisruptionTarget')
  const disruption = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'DeletionByTaintManager',
    message: 'Taint manager: deleting due to NoExecute taint',
    lastTransitionTime: formatTime(nowMs),
  }
  return [
    eventAbout(podResource, pod, 'Normal', 'TaintManagerEviction', `Marking for deletion Pod ${namespace}/${name}`),
    patchOf(podResource, pod, { status: { conditions: [...others, disruption] } }, 'status'),
    { kind: 'delete', resource: podResource, target: targetOf(pod) },
  ]
}

export function cancelled(pod: Stored<Pod>): Act {
  const { namespace, name } = pod.metadata
  return eventAbout(
    podResource,
    pod,
    'Normal',
    'TaintManagerEviction',
    `Cancelling deletion of Pod ${namespace}/${name}`,
  )
}
