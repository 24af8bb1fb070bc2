// Revisions: the numbers by which `kubectl rollout history` and `undo` know the ReplicaSets of a Deployment.

import type { Deployment, ReplicaSet } from '#api/apps.ts'
import { fenceposts, wantedReplicas } from '#controllers/deployment/fenceposts.ts'

const prefix = 'deployment.kubernetes.io/'
export const revisionAnnotation = `${prefix}revision`
export const historyAnnotation = `${prefix}revision-history`
export const desiredAnnotation = `${prefix}desired-replicas`
export const maxAnnotation = `${prefix}max-replicas`
export const rollbackAnnotation = 'deprecated.deployment.rollback.to'

/** Annotations that belong to one object and are not handed from a Deployment to its ReplicaSet or back. */
const ownAnnotations = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  revisionAnnotation,
  historyAnnotation,
  desiredAnnotation,
  maxAnnotation,
  rollbackAnnotation,
])

/** Longest list of earlier revisions that a ReplicaSet keeps, in characters. */
const historyLimit = 2000

type Annotations = Readonly<Record<string, string>>

/** The revision of a ReplicaSet: 0 without one, undefined where the annotation is no number. */
export function revisionOf(set: ReplicaSet): number | undefined {
  const text = set.metadata?.annotations?.[revisionAnnotation]
  if (text === undefined) return 0
  return /^-?\d+$/.test(text) ? Number(text) : undefined
}

export function highestRevision(sets: readonly ReplicaSet[]): number {
  return Math.max(0, ...sets.map((set) => revisionOf(set) ?? 0))
}

/** The revision before the newest: where an undo without a number goes. 0: there is none. */
export function previousRevision(sets: readonly ReplicaSet[]): number {
  return sets.map((set) => revisionOf(set) ?? 0).sort((a, b) => b - a)[1] ?? 0
}

/** A Deployment's annotations as its ReplicaSet gets them. */
export function handedDown(annotations: Annotations | undefined): Annotations {
  return Object.fromEntries(Object.entries(annotations ?? {}).filter(([key]) => !ownAnnotations.has(key)))
}

/** A Deployment's annotations when it goes back to the revision of a ReplicaSet that has `annotations`. */
export function handedBack(deployment: Annotations | undefined, set: Annotations | undefined): Annotations {
  const kept = Object.entries(deployment ?? {}).filter(([key]) => ownAnnotations.has(key) && key !== rollbackAnnotation)
  return { ...Object.fromEntries(kept), ...handedDown(set) }
}

/** The sizes that a ReplicaSet remembers, from which a later change of size is told from a step of an update. */
export function sizeAnnotations(deployment: Deployment): Annotations {
  const wanted = wantedReplicas(deployment)
  return { [desiredAnnotation]: String(wanted), [maxAnnotation]: String(wanted + fenceposts(deployment).surge) }
}

/** The number in a size annotation, or undefined where there is no sensible one. */
export function sizeAnnotation(set: ReplicaSet, name: string): number | undefined {
  const text = set.metadata?.annotations?.[name]
  return text !== undefined && /^\d+$/.test(text) && Number(text) <= 0x7fffffff ? Number(text) : undefined
}

/**
 * The annotations of the new ReplicaSet: the Deployment's, and the next revision after all old ones. Where it had a
 * lower revision, the Deployment went back to it, and the old number joins the history.
 */
export function currentAnnotations(
  deployment: Deployment,
  current: ReplicaSet,
  old: readonly ReplicaSet[],
): Annotations {
  const before = current.metadata?.annotations ?? {}
  const after: Record<string, string> = { ...before, ...handedDown(deployment.metadata?.annotations) }
  const had = revisionOf(current)
  const next = highestRevision(old) + 1
  if (had === undefined || had >= next) return after
  after[revisionAnnotation] = String(next)
  const text = before[revisionAnnotation]
  if (text !== undefined) after[historyAnnotation] = withRevision(before[historyAnnotation], text)
  return after
}

function withRevision(history: string | undefined, revision: string): string {
  if (!history) return revision
  const revisions = [...history.split(','), revision]
  while (revisions.length > 1 && revisions.join(',').length > historyLimit) revisions.shift()
  return revisions.join(',')
}
