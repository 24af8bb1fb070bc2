// The status of a StatefulSet.

import type { StatefulSet, StatefulSetStatus } from '#api/apps.ts'
import type { Pod } from '#api/core.ts'
import { isPodAvailable, isPodReady, isPodTerminating } from '#api/pod-state.ts'
import type { Stored } from '#api/stored.ts'
import { revisionLabel } from '#controllers/revision-history.ts'
import { replicasOf } from '#controllers/statefulset/identity.ts'

export const revisionOf = ({ metadata }: Pod): string | undefined => metadata?.labels?.[revisionLabel]
export const isRunningAndReady = (pod: Pod): boolean => pod.status?.phase === 'Running' && isPodReady(pod)

/** `current` and `update` are the names of the revisions that the set comes from and goes to. */
export function statefulSetStatus(
  set: Stored<StatefulSet>,
  pods: readonly Pod[],
  current: string,
  update: string,
  nowMs: number,
): StatefulSetStatus {
  const { minReadySeconds = 0, updateStrategy } = set.spec
  const ready = pods.filter(isRunningAndReady)
  const staying = pods.filter((pod) => !isPodTerminating(pod))
  const of = (revision: string) => staying.filter((pod) => revisionOf(pod) === revision).length
  const wanted = replicasOf(set)
  const isRolling = (updateStrategy?.type ?? 'RollingUpdate') === 'RollingUpdate'
  const isComplete = isRolling && of(update) === wanted && ready.length === wanted && pods.length === wanted
  const currentRevision = isComplete ? update : current
  const available = ready.filter((pod) => isPodAvailable(pod, minReadySeconds, nowMs)).length
  return {
    ...nonZero('observedGeneration', set.metadata.generation ?? 0),
    replicas: pods.length,
    ...nonZero('readyReplicas', ready.length),
    ...nonZero('currentReplicas', of(currentRevision)),
    ...nonZero('updatedReplicas', of(update)),
    currentRevision,
    updateRevision: update,
    collisionCount: set.status?.collisionCount ?? 0,
    availableReplicas: available,
    ...(set.status?.conditions && { conditions: set.status.conditions }),
  }
}

function nonZero<K extends keyof StatefulSetStatus>(name: K, count: number): { readonly [P in K]?: number } {
  return count === 0 ? {} : ({ [name]: count } as { readonly [P in K]: number })
}
