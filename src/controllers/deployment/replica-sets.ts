// The ReplicaSets of a Deployment: which is the new one, how many replicas they have between them.

import { type Deployment, type ReplicaSet } from '#api/apps.ts'
import type { PodTemplateSpec } from '#api/core.ts'
import type { Stored } from '#api/stored.ts'
import { equalJson } from '#lib/equal.ts'

export const hashLabel = 'pod-template-hash'

export type Rollout = {
  /** the one whose template is the Deployment's own */
  readonly current: Stored<ReplicaSet> | undefined
  /** all others, oldest first */
  readonly old: readonly Stored<ReplicaSet>[]
}

/** Oldest first; equal ages by name. */
export function byAge(a: Stored, b: Stored): number {
  const left = a.metadata.creationTimestamp
  const right = b.metadata.creationTimestamp
  if (left !== right) return left < right ? -1 : 1
  return a.metadata.name < b.metadata.name ? -1 : 1
}

/** Tells the new ReplicaSet from the old ones. Where several have the template, the oldest is the new one. */
export function rolloutOf(deployment: Stored<Deployment>, sets: readonly Stored<ReplicaSet>[]): Rollout {
  const sorted = sets.toSorted(byAge)
  const current = sorted.find((set) => sameTemplate(set.spec.template, deployment.spec.template))
  return { current, old: sorted.filter((set) => set !== current) }
}

/** Whether two templates make the same pods; the hash label, which only ReplicaSets carry, does not count. */
export function sameTemplate(a: PodTemplateSpec | undefined, b: PodTemplateSpec | undefined): boolean {
  return equalJson(withoutHash(a), withoutHash(b))
}

export function withoutHash(template: PodTemplateSpec | undefined): PodTemplateSpec {
  const { [hashLabel]: _, ...labels } = template?.metadata?.labels ?? {}
  return { ...template, metadata: { ...template?.metadata, labels } }
}

export const replicasOf = (set: ReplicaSet): number => set.spec?.replicas ?? 1
export const availableOf = (set: ReplicaSet): number => set.status?.availableReplicas ?? 0

export function total(sets: readonly ReplicaSet[], count: (set: ReplicaSet) => number): number {
  return sets.reduce((sum, set) => sum + count(set), 0)
}

export function all({ current, old }: Rollout): readonly Stored<ReplicaSet>[] {
  return current === undefined ? old : [...old, current]
}

export const active = <T extends ReplicaSet>(sets: readonly T[]): readonly T[] =>
  sets.filter((set) => replicasOf(set) > 0)
