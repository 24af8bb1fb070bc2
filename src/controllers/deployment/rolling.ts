// One step of a rolling update: grow the new ReplicaSet as far as the surge lets it, else shrink the old ones as far as
// enough pods stay available.

import type { Draft } from '#controllers/deployment/draft.ts'
import { createCurrent, currentSize } from '#controllers/deployment/current-replica-set.ts'
import { fenceposts, wantedReplicas } from '#controllers/deployment/fenceposts.ts'
import { active, availableOf, byAge, replicasOf, total } from '#controllers/deployment/replica-sets.ts'

/** Says whether it changed a size; then nothing else is to be cleaned up yet. */
export function planRolling(draft: Draft): boolean {
  if (draft.current === undefined) createCurrent(draft)
  else if (growCurrent(draft)) return true
  return shrinkOld(draft)
}

function growCurrent(draft: Draft): boolean {
  const current = draft.current!
  const wanted = wantedReplicas(draft.deployment)
  const size = replicasOf(current)
  if (size === wanted) return false
  return draft.resize(current, size > wanted ? wanted : currentSize(draft.deployment, draft.old, size))
}

/**
 * Unavailable pods of old ReplicaSets go first, since losing them costs nothing and they may be in the way; then
 * available ones down to what must stay. Pods of the new ReplicaSet that are not available yet count as missing.
 */
function shrinkOld(draft: Draft): boolean {
  const { deployment } = draft
  const current = draft.current!
  const mustStay = wantedReplicas(deployment) - fenceposts(deployment).unavailable
  const notYet = replicasOf(current) - availableOf(current)
  const most = total(draft.all, replicasOf) - mustStay - notYet
  if (active(draft.old).length === 0 || most <= 0) return false

  let removed = 0
  for (const set of active(draft.old).toSorted(byAge)) {
    const unavailable = Math.min(most - removed, replicasOf(set) - availableOf(set))
    if (unavailable <= 0) continue
    draft.resize(set, replicasOf(set) - unavailable)
    removed += unavailable
  }

  let spare = total(draft.all, availableOf) - mustStay
  for (const set of active(draft.old).toSorted(byAge)) {
    if (spare <= 0) break
    const count = Math.min(replicasOf(set), spare)
    draft.resize(set, replicasOf(set) - count)
    spare -= count
    removed += count
  }
  return removed > 0
}
