// When the change happened that led to a sync of a Service: the measure of how long endpoints take to follow.

import type { Pod, Service } from '#api/core.ts'
import { podCondition } from '#api/pod-state.ts'
import type { Stored } from '#api/stored.ts'

/** What the last sync of a Service saw. */
export type Seen = { readonly pods: ReadonlyMap<string, string> }

/**
 * The earliest change among the pods' readiness since the last sync; the Service's own creation at its first one;
 * undefined where nothing that has a time has changed. Times are API texts, which sort as they are.
 */
export function triggerTime(
  last: Seen | undefined,
  service: Stored<Service>,
  pods: Iterable<Stored<Pod>>,
): { readonly time: string | undefined; readonly seen: Seen } {
  const now = new Map<string, string>()
  let earliest: string | undefined
  for (const pod of pods) {
    const time = podCondition(pod, 'Ready')?.lastTransitionTime
    if (time === undefined) continue
    const { name } = pod.metadata
    now.set(name, time)
    const isNew = time > (last?.pods.get(name) ?? '')
    if (isNew && (earliest === undefined || time < earliest)) earliest = time
  }
  return { time: last === undefined ? service.metadata.creationTimestamp : earliest, seen: { pods: now } }
}
