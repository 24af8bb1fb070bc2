// What to do about one ReplicaSet: create the pods that it lacks, delete those too many, count.

import { type ReplicaSet, type ReplicaSetStatus, replicaSets } from '#api/apps.ts'
import type { Pod } from '#api/core.ts'
import { isPodActive, isPodTerminal, isPodTerminating } from '#api/pod-state.ts'
import type { Stored } from '#api/stored.ts'
import { type Act, patchOf } from '#controllers/act.ts'
import { podFromTemplate } from '#controllers/pod-from-template.ts'
import { chooseVictims } from '#controllers/replicaset/victims.ts'
import { equalJson } from '#lib/equal.ts'

/** At most so many pods are created or deleted before their effect is looked at again. */
const burst = 500

export type ReplicaSetState = {
  readonly set: Stored<ReplicaSet>
  /** the pods that it owns */
  readonly pods: readonly Stored<Pod>[]
  /** the pods of all ReplicaSets of the same Deployment, its own included */
  readonly related: readonly Stored<Pod>[]
  readonly nowMs: number
}

export type ReplicaSetPlan = {
  readonly active: readonly Stored<Pod>[]
  readonly terminating: readonly Stored<Pod>[]
  /** how many times to create `pod` */
  readonly create: number
  readonly pod: Pod
  readonly victims: readonly Stored<Pod>[]
}

export function planReplicaSet({ set, pods, related, nowMs }: ReplicaSetState): ReplicaSetPlan {
  const active = pods.filter(isPodActive)
  const terminating = pods.filter((pod) => isPodTerminating(pod) && !isPodTerminal(pod))
  const pod = podFromTemplate(replicaSets, set, set.spec.template)
  const goes = set.metadata.deletionTimestamp !== undefined
  const tooMany = goes ? 0 : active.length - (set.spec.replicas ?? 1)
  return {
    active,
    terminating,
    create: Math.min(burst, Math.max(0, -tooMany)),
    pod,
    victims: tooMany > 0 ? chooseVictims(active, related, Math.min(burst, tooMany), nowMs) : [],
  }
}

/**
 * Sizes of the batches in which `count` pods are created: 1, 2, 4 ... A batch begins only when the one before
 * succeeded whole, so that what always fails (a quota, a bad template) fails once and not five hundred times.
 */
export function slowStart(count: number): readonly number[] {
  const batches: number[] = []
  for (let left = count, size = 1; left > 0; left -= size, size *= 2) {
    size = Math.min(size, left)
    batches.push(size)
  }
  return batches
}

export function writeReplicaSetStatus(set: Stored<ReplicaSet>, status: ReplicaSetStatus): readonly Act[] {
  const { status: old } = set
  if (old !== undefined && equalJson(old, status)) return []
  const dropped = Object.keys(old ?? {}).filter((key) => !(key in status))
  const patch = { status: { ...Object.fromEntries(dropped.map((key) => [key, null])), ...status } }
  return [patchOf(replicaSets, set, patch, 'status')]
}
