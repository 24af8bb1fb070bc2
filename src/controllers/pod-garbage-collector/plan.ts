// Pods that nobody will end or remove any more.

import { type Node, type Pod, pods as podResource } from '#api/core.ts'
import { isPodTerminal, isPodTerminating } from '#api/pod-state.ts'
import type { Stored } from '#api/stored.ts'
import { formatTime } from '#api/time.ts'
import { type Act, patchOf, targetOf } from '#client/control/act.ts'
import { isNodeReady } from '#controllers/node-lifecycle/health.ts'

/** How long a pod's node must have been gone before the pod goes too. */
export const quarantineMs = 40_000

export type PodGarbageState = {
  readonly pods: Iterable<Stored<Pod>>
  readonly nodes: ReadonlyMap<string, Node>
  /** names of nodes that pods are bound to and that do not exist -> since when, in ms */
  readonly missingSince: ReadonlyMap<string, number>
  /** this many finished pods are kept */
  readonly terminatedThreshold: number
  readonly nowMs: number
}

/**
 * Removes finished pods beyond the threshold (evicted ones first, then the oldest), pods of nodes that are gone, pods
 * on their way out that never had a node, and those on a node that is out of service.
 */
export function planPodGarbage(state: PodGarbageState): readonly Act[] {
  const { nodes, missingSince, nowMs } = state
  const pods = [...state.pods]
  const finished = pods.filter(isPodTerminal).sort(byEvictionAndAge)
  const surplus = finished.slice(0, Math.max(0, finished.length - state.terminatedThreshold))
  const acts = surplus.flatMap((pod) => remove(pod, nowMs))
  const done = new Set(surplus)
  for (const pod of pods) {
    if (done.has(pod)) continue
    const { nodeName } = pod.spec
    if (!nodeName) {
      if (isPodTerminating(pod)) acts.push(...remove(pod, nowMs))
      continue
    }
    const node = nodes.get(nodeName)
    if (node === undefined) {
      if (nowMs - (missingSince.get(nodeName) ?? nowMs) >= quarantineMs) acts.push(...remove(pod, nowMs, orphaned))
    } else if (isPodTerminating(pod) && isOutOfService(node)) acts.push(...remove(pod, nowMs))
  }
  return acts
}

const orphaned = { reason: 'DeletionByPodGC', message: 'PodGC: node no longer exists' }

function isOutOfService(node: Node): boolean {
  return !isNodeReady(node) && (node.spec?.taints ?? []).some(({ key }) => key === 'node.kubernetes.io/out-of-service')
}

function byEvictionAndAge(a: Stored<Pod>, b: Stored<Pod>): number {
  const evicted = (pod: Pod) => Number(pod.status?.phase === 'Failed' && pod.status.reason === 'Evicted')
  const [left, right] = [a.metadata, b.metadata]
  if (evicted(a) !== evicted(b)) return evicted(b) - evicted(a)
  if (left.creationTimestamp !== right.creationTimestamp)
    return left.creationTimestamp < right.creationTimestamp ? -1 : 1
  return left.name < right.name ? -1 : 1
}

/** A pod that never finished is called failed first, since nobody is left who would say so. */
function remove(pod: Stored<Pod>, nowMs: number, why?: { readonly reason: string; readonly message: string }): Act[] {
  const conditions = (pod.status?.conditions ?? []).filter(({ type }) => type !== 'DisruptionTarget')
  const disruption = { type: 'DisruptionTarget', status: 'True', lastTransitionTime: formatTime(nowMs), ...why }
  const status = { phase: 'Failed', ...(why === undefined ? {} : { conditions: [...conditions, disruption] }) }
  const fail = patchOf(podResource, pod, { status }, 'status')
  const target = targetOf(pod)
  return [
    ...(isPodTerminal(pod) ? [] : [fail]),
    { kind: 'delete', resource: podResource, target, gracePeriodSeconds: 0 },
  ]
}
