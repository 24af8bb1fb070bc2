// The status of a ReplicaSet: counts over its pods.

import type { ReplicaSet, ReplicaSetStatus } from '#api/apps.ts'
import type { Pod } from '#api/core.ts'
import { isPodAvailable, isPodReady, podAvailableInMs } from '#api/pod-state.ts'
import type { Stored } from '#api/stored.ts'
import { formatTime } from '#api/time.ts'
import { withCondition, withoutCondition } from '#controllers/condition.ts'

/** Counts of the active and terminating pods of a ReplicaSet; `failure` is why pods could not be made or removed. */
export function replicaSetStatus(
  set: Stored<ReplicaSet>,
  active: readonly Pod[],
  terminating: readonly Pod[],
  failure: { readonly reason: 'FailedCreate' | 'FailedDelete'; readonly message: string } | undefined,
  nowMs: number,
): ReplicaSetStatus {
  const { minReadySeconds = 0, template } = set.spec
  const templateLabels = Object.entries(template?.metadata?.labels ?? {})
  const isFullyLabeled = ({ metadata }: Pod) =>
    templateLabels.every(([key, value]) => metadata?.labels?.[key] === value)
  const count = (test: (pod: Pod) => boolean) => active.filter(test).length
  const conditions = conditionsWith(set, failure, nowMs)
  return {
    replicas: active.length,
    ...nonZero('fullyLabeledReplicas', count(isFullyLabeled)),
    ...nonZero('readyReplicas', count(isPodReady)),
    ...nonZero(
      'availableReplicas',
      count((pod) => isPodAvailable(pod, minReadySeconds, nowMs)),
    ),
    ...nonZero('observedGeneration', set.metadata.generation ?? 0),
    terminatingReplicas: terminating.length,
    ...(conditions.length === 0 ? {} : { conditions }),
  }
}

function conditionsWith(
  set: Stored<ReplicaSet>,
  failure: { readonly reason: string; readonly message: string } | undefined,
  nowMs: number,
) {
  const conditions = set.status?.conditions ?? []
  if (failure === undefined) return withoutCondition(conditions, 'ReplicaFailure')
  if (conditions.some(({ type }) => type === 'ReplicaFailure')) return conditions
  const lastTransitionTime = formatTime(nowMs)
  return withCondition(conditions, { type: 'ReplicaFailure', status: 'True', lastTransitionTime, ...failure })
}

function nonZero<K extends keyof ReplicaSetStatus>(name: K, count: number): { readonly [P in K]?: number } {
  return count === 0 ? {} : ({ [name]: count } as { readonly [P in K]: number })
}

/** After how long the next ready pod becomes available; undefined where none is about to. */
export function nextAvailableMs(set: ReplicaSet, active: readonly Pod[], nowMs: number): number | undefined {
  const waits = active
    .map((pod) => podAvailableInMs(pod, set.spec?.minReadySeconds ?? 0, nowMs))
    .filter((ms) => ms !== undefined && ms > 0) as number[]
  return waits.length === 0 ? undefined : Math.min(...waits)
}
