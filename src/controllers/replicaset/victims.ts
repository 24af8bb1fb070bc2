// Which pods a ReplicaSet gives up first when it has too many.

import type { Pod } from '#api/core.ts'
import { isPodActive, isPodReady, podReadySinceMs } from '#api/pod-state.ts'
import type { Stored } from '#api/stored.ts'

const phases: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 }

/**
 * The `count` pods to delete, in Kubernetes' order: without a node, then pending, not ready, of lower deletion cost,
 * on a node that runs more of `related` (all pods of the same Deployment), ready for a shorter time, restarted more
 * often, younger. Ages are compared by powers of two, and equals by UID, so that no node or zone is emptied first.
 */
export function chooseVictims(
  pods: readonly Stored<Pod>[],
  related: readonly Stored<Pod>[],
  count: number,
  nowMs: number,
): readonly Stored<Pod>[] {
  if (count >= pods.length) return pods
  const perNode = new Map<string, number>()
  for (const pod of related) {
    const node = pod.spec.nodeName ?? ''
    if (isPodActive(pod)) perNode.set(node, (perNode.get(node) ?? 0) + 1)
  }
  return pods
    .map((pod) => ({ pod, crowd: perNode.get(pod.spec.nodeName ?? '') ?? 0 }))
    .toSorted((a, b) => compare(a.pod, b.pod, a.crowd, b.crowd, nowMs))
    .slice(0, count)
    .map(({ pod }) => pod)
}

function compare(a: Stored<Pod>, b: Stored<Pod>, crowdA: number, crowdB: number, nowMs: number): number {
  return (
    Number(Boolean(a.spec.nodeName)) - Number(Boolean(b.spec.nodeName)) ||
    phaseOf(a) - phaseOf(b) ||
    Number(isPodReady(a)) - Number(isPodReady(b)) ||
    deletionCost(a) - deletionCost(b) ||
    crowdB - crowdA ||
    byAge(podReadySinceMs(a), podReadySinceMs(b), a, b, nowMs) ||
    restarts(b) - restarts(a) ||
    byAge(Date.parse(a.metadata.creationTimestamp), Date.parse(b.metadata.creationTimestamp), a, b, nowMs)
  )
}

const phaseOf = (pod: Pod): number => phases[pod.status?.phase ?? 'Pending'] ?? 0

/** The annotation `controller.kubernetes.io/pod-deletion-cost`, 0 where it is missing or no 32-bit integer. */
export function deletionCost(pod: Pod): number {
  const text = pod.metadata?.annotations?.['controller.kubernetes.io/pod-deletion-cost'] ?? '0'
  if (!/^(0|[+-]?[1-9]\d*)$/.test(text)) return 0
  const cost = Number(text)
  return cost >= -0x80000000 && cost <= 0x7fffffff ? cost : 0
}

/** The more recent one first; a missing time counts as the most recent. */
function byAge(a: number | undefined, b: number | undefined, x: Stored, y: Stored, nowMs: number): number {
  if (a === b) return 0
  if (a === undefined || b === undefined) return a === undefined ? -1 : 1
  return rank(nowMs - a) - rank(nowMs - b) || (x.metadata.uid < y.metadata.uid ? -1 : 1)
}

const rank = (ageMs: number): number => (ageMs > 0 ? Math.floor(Math.log2(ageMs * 1e6)) : -1)

function restarts(pod: Pod): number {
  const sidecars = new Set(
    pod.spec?.initContainers?.filter(({ restartPolicy }) => restartPolicy === 'Always').map(({ name }) => name),
  )
  const most = (statuses: readonly { readonly restartCount: number }[] = []) =>
    Math.max(0, ...statuses.map(({ restartCount }) => restartCount))
  const ofSidecars = most(pod.status?.initContainerStatuses?.filter(({ name }) => sidecars.has(name)))
  // Restarts of sidecars decide only between pods whose containers restarted equally often.
  return most(pod.status?.containerStatuses) + ofSidecars / 1e6
}
