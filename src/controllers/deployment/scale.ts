// A change of size, or any sync of a paused Deployment: every ReplicaSet gets its share, so that a rollout that is half
// done stays half done.

import type { ReplicaSet } from '#api/apps.ts'
import type { Stored } from '#api/stored.ts'
import type { Draft } from '#controllers/deployment/draft.ts'
import { fenceposts, isRolling, wantedReplicas } from '#controllers/deployment/fenceposts.ts'
import { active, availableOf, byAge, replicasOf, total } from '#controllers/deployment/replica-sets.ts'
import { desiredAnnotation, maxAnnotation, sizeAnnotation } from '#controllers/deployment/revision.ts'

/** Whether the wanted size has changed since an active ReplicaSet last heard of it. */
export function isResized(draft: Draft): boolean {
  const wanted = wantedReplicas(draft.deployment)
  return active(draft.all).some((set) => (sizeAnnotation(set, desiredAnnotation) ?? wanted) !== wanted)
}

export function planScale(draft: Draft): void {
  const { deployment, current } = draft
  const wanted = wantedReplicas(deployment)
  const only = onlyActiveOrNewest(draft)
  if (only !== undefined) {
    draft.resize(only, wanted)
  } else if (current !== undefined && isSaturated(current, wanted)) {
    for (const old of active(draft.old)) draft.resize(old, 0)
  } else if (isRolling(deployment)) {
    scaleInProportion(draft)
  }
}

/** The one active ReplicaSet; where none is, the new or else the newest old one; undefined where several are. */
function onlyActiveOrNewest({ current, old, all }: Draft): Stored<ReplicaSet> | undefined {
  const running = active(all)
  if (running.length > 1) return undefined
  return running[0] ?? current ?? old.toSorted(byAge).at(-1)
}

function isSaturated(set: ReplicaSet, wanted: number): boolean {
  return replicasOf(set) === wanted && sizeAnnotation(set, desiredAnnotation) === wanted && availableOf(set) === wanted
}

/** Larger ReplicaSets first; among equals the newer gains first and the older loses first. The first takes the rest. */
function scaleInProportion(draft: Draft): void {
  const { deployment } = draft
  const sets = active(draft.all)
  const wanted = wantedReplicas(deployment)
  const allowed = wanted > 0 ? wanted + fenceposts(deployment).surge : 0
  const toAdd = allowed - total(sets, replicasOf)
  const sorted = sets.toSorted((a, b) => replicasOf(b) - replicasOf(a) || (toAdd > 0 ? byAge(b, a) : byAge(a, b)))
  let added = 0
  const sizes = sorted.map((set) => {
    const share = toAdd === 0 ? 0 : within(shareOf(set, draft, wanted), toAdd - added)
    added += share
    return replicasOf(set) + share
  })
  sizes[0] = Math.max(0, (sizes[0] ?? 0) + (toAdd - added))
  for (const [i, set] of sorted.entries()) draft.resize(set, sizes[i]!, true)
}

/** `share`, but never more than what is left to add (or, below zero, to take away). */
function within(share: number, left: number): number {
  if (left === 0) return 0
  return left > 0 ? Math.min(share, left) : Math.max(share, left)
}

/** By how much a ReplicaSet grows or shrinks when the whole goes from the size it remembers to the allowed one. */
function shareOf(set: ReplicaSet, { deployment }: Draft, wanted: number): number {
  const size = replicasOf(set)
  if (wanted === 0) return -size
  const before = sizeAnnotation(set, maxAnnotation) || (deployment.status?.replicas ?? 0)
  if (before === 0) return 0
  return Math.round((size * (wanted + fenceposts(deployment).surge)) / before) - size
}
