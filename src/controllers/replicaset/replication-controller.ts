// A ReplicationController in the form of a ReplicaSet, so that one plan does for both.

import type { ReplicaSet, ReplicaSetStatus } from '#api/apps.ts'
import type { ReplicationController } from '#api/core.ts'
import type { Stored } from '#api/stored.ts'

export function asReplicaSet(controller: Stored<ReplicationController>): Stored<ReplicaSet> {
  const { selector = {}, ...spec } = controller.spec
  return { ...controller, spec: { ...spec, selector: { matchLabels: selector } } } as Stored<ReplicaSet>
}

/** Its status knows no pods on their way out. */
export function statusOfController({ terminatingReplicas: _, ...status }: ReplicaSetStatus): object {
  return status
}
