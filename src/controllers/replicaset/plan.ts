// What to do about one ReplicaSet, or ReplicationController in the form of one: create the pods that it lacks, delete those
// too many, count.

import type { ReplicaSet } from '#api/apps.ts'
import type { Pod } from '#api/core.ts'
import { isPodActive, isPodTerminal, isPodTerminating } from '#api/pod-state.ts'
import type { Resource } from '#api/resource.ts'
import type { Stored } from '#api/stored.ts'
import { podFromTemplate } from '#controllers/pod-from-template.ts'
import { chooseVictims } from '#controllers/replicaset/victims.ts'

/** At most so many pods are created or deleted before their effect is looked at again. */
const burst = 500

export type ReplicaSetState = {
  /** what owns the pods: `replicaSets` or `replicationControllers` */
  readonly resource: Resource
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

export function planReplicaSet({ resource, set, pods, related, nowMs }: ReplicaSetState): ReplicaSetPlan {
  const active = pods.filter(isPodActive)
  const terminating = pods.filter((pod) => isPodTerminating(pod) && !isPodTerminal(pod))
  const pod = podFromTemplate(resource, set, set.spec.template)
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
