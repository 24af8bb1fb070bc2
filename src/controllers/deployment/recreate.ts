// The Recreate strategy: all old pods go before the first new one comes.

import type { Pod } from '#api/core.ts'
import { controllerOf } from '#api/owner.ts'
import { isPodTerminal } from '#api/pod-state.ts'
import type { Draft } from '#controllers/deployment/draft.ts'
import { createCurrent } from '#controllers/deployment/current-replica-set.ts'
import { wantedReplicas } from '#controllers/deployment/fenceposts.ts'
import { active, total } from '#controllers/deployment/replica-sets.ts'

/** `pods` are those of all the Deployment's ReplicaSets. Says whether old ones are still in the way. */
export function planRecreate(draft: Draft, pods: readonly Pod[]): boolean {
  const running = active(draft.old)
  for (const set of running) draft.resize(set, 0)
  if (running.length > 0 || oldPodsRun(draft, pods)) return true
  if (draft.current === undefined) createCurrent(draft)
  else draft.resize(draft.current, wantedReplicas(draft.deployment))
  return false
}

function oldPodsRun(draft: Draft, pods: readonly Pod[]): boolean {
  if (total(draft.old, (set) => set.status?.replicas ?? 0) > 0) return true
  const isCurrent = (pod: Pod) => draft.current !== undefined && controllerOf(pod)?.uid === draft.current.metadata.uid
  return pods.some((pod) => !isCurrent(pod) && !isPodTerminal(pod))
}
