// What a pod's status says to everyone who counts, routes to or removes pods.

import type { Pod, PodCondition } from '#api/core.ts'

export function podCondition(pod: Pod, type: string): PodCondition | undefined {
  return pod.status?.conditions?.find((condition) => condition.type === type)
}

export function isPodReady(pod: Pod): boolean {
  return podCondition(pod, 'Ready')?.status === 'True'
}

/** Since when a pod is ready, in ms since the epoch; undefined while it is not. */
export function podReadySinceMs(pod: Pod): number | undefined {
  const ready = podCondition(pod, 'Ready')
  if (ready?.status !== 'True' || ready.lastTransitionTime === undefined) return undefined
  return Date.parse(ready.lastTransitionTime)
}

/** Ready for at least `minReadySeconds`. */
export function isPodAvailable(pod: Pod, minReadySeconds: number, nowMs: number): boolean {
  return isPodReady(pod) && podAvailableInMs(pod, minReadySeconds, nowMs) === 0
}

/** How long until a ready pod counts as available; 0 if it does, undefined while it is not ready. */
export function podAvailableInMs(pod: Pod, minReadySeconds: number, nowMs: number): number | undefined {
  if (!isPodReady(pod)) return undefined
  if (minReadySeconds === 0) return 0
  const since = podReadySinceMs(pod)
  return since === undefined ? undefined : Math.max(0, since + minReadySeconds * 1000 - nowMs)
}

/** Every container has stopped for good. */
export function isPodTerminal(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'
}

export function isPodTerminating(pod: Pod): boolean {
  return pod.metadata?.deletionTimestamp !== undefined
}

/** Counts as a replica: neither finished nor on its way out. */
export function isPodActive(pod: Pod): boolean {
  return !isPodTerminal(pod) && !isPodTerminating(pod)
}
