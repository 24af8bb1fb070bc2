// The status of a Deployment: what `kubectl rollout status` and `kubectl get deployment` read.

import type { Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet } from '#api/apps.ts'
import type { Stored } from '#api/stored.ts'
import { formatTime } from '#api/time.ts'
import { withCondition, withoutCondition } from '#controllers/condition.ts'
import { fenceposts, wantedReplicas } from '#controllers/deployment/fenceposts.ts'
import { type Rollout, all, availableOf, replicasOf, total } from '#controllers/deployment/replica-sets.ts'

const forever = 0x7fffffff

/** Seconds without progress after which a rollout has failed; undefined: never. */
export function deadlineSeconds(deployment: Deployment): number | undefined {
  const seconds = deployment.spec?.progressDeadlineSeconds
  return seconds === forever ? undefined : seconds
}

export function condition(
  type: string,
  status: 'True' | 'False' | 'Unknown',
  reason: string,
  message: string,
  nowMs: number,
): DeploymentCondition {
  const now = formatTime(nowMs)
  return { type, status, lastUpdateTime: now, lastTransitionTime: now, reason, message }
}

export const progressing = (conditions: readonly DeploymentCondition[]): DeploymentCondition | undefined =>
  conditions.find(({ type }) => type === 'Progressing')

/** Counts over the ReplicaSets, with `conditions` and whether enough replicas are available. */
export function countStatus(
  deployment: Stored<Deployment>,
  rollout: Rollout,
  conditions: readonly DeploymentCondition[],
  nowMs: number,
): DeploymentStatus {
  const sets = all(rollout)
  const available = total(sets, availableOf)
  const { collisionCount } = deployment.status ?? {}
  const enough = available >= wantedReplicas(deployment) - fenceposts(deployment).unavailable
  const availability = enough
    ? condition('Available', 'True', 'MinimumReplicasAvailable', 'Deployment has minimum availability.', nowMs)
    : condition(
        'Available',
        'False',
        'MinimumReplicasUnavailable',
        'Deployment does not have minimum availability.',
        nowMs,
      )
  return {
    ...counted('observedGeneration', deployment.metadata.generation ?? 0),
    ...counted(
      'replicas',
      total(sets, (set) => set.status?.replicas ?? 0),
    ),
    ...counted('updatedReplicas', rollout.current?.status?.replicas ?? 0),
    ...counted(
      'readyReplicas',
      total(sets, (set) => set.status?.readyReplicas ?? 0),
    ),
    ...counted('availableReplicas', available),
    ...counted('unavailableReplicas', Math.max(0, total(sets, replicasOf) - available)),
    terminatingReplicas: total(sets, (set) => set.status?.terminatingReplicas ?? 0),
    ...(collisionCount === undefined ? {} : { collisionCount }),
    conditions: withCondition(conditions, availability),
  }
}

/** Zero counts are left out, as Kubernetes' own encoding does. */
function counted<K extends keyof DeploymentStatus>(name: K, count: number): { readonly [P in K]?: number } {
  return count === 0 ? {} : ({ [name]: count } as { readonly [P in K]: number })
}

/** All wanted replicas are of the present template and available, and no others run. */
export function isComplete(deployment: Stored<Deployment>, status: DeploymentStatus | undefined): boolean {
  const wanted = wantedReplicas(deployment)
  return (
    (status?.updatedReplicas ?? 0) === wanted &&
    (status?.replicas ?? 0) === wanted &&
    (status?.availableReplicas ?? 0) === wanted &&
    (status?.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
  )
}

/** The status during a rollout: the counts, and whether it progresses, has succeeded or has taken too long. */
export function rolloutStatus(
  deployment: Stored<Deployment>,
  rollout: Rollout,
  before: readonly DeploymentCondition[],
  nowMs: number,
): DeploymentStatus {
  const status = countStatus(deployment, rollout, before, nowMs)
  const conditions = withProgress(deployment, rollout, status, nowMs)
  const failure = replicaFailure(rollout)
  return {
    ...status,
    conditions: failure ? withCondition(conditions, failure) : withoutCondition(conditions, 'ReplicaFailure'),
  }
}

function withProgress(
  deployment: Stored<Deployment>,
  { current }: Rollout,
  status: DeploymentStatus,
  nowMs: number,
): readonly DeploymentCondition[] {
  const conditions = status.conditions ?? []
  if (deadlineSeconds(deployment) === undefined) return withoutCondition(conditions, 'Progressing')
  const now = progressing(conditions)
  const wasComplete =
    (status.replicas ?? 0) === (status.updatedReplicas ?? 0) && now?.reason === 'NewReplicaSetAvailable'
  if (wasComplete) return conditions

  const subject =
    current === undefined ? `Deployment "${deployment.metadata.name}"` : `ReplicaSet "${current.metadata.name}"`
  const say = (state: 'True' | 'False', reason: string, what: string) =>
    condition('Progressing', state, reason, `${subject} ${what}.`, nowMs)
  if (isComplete(deployment, status))
    return withCondition(conditions, say('True', 'NewReplicaSetAvailable', 'has successfully progressed'))
  if (hasProgressed(deployment.status, status)) {
    // The time of the last progress moves even where the reason is the same.
    const next = say('True', 'ReplicaSetUpdated', 'is progressing')
    const kept = now?.status === 'True' && now.lastTransitionTime ? { lastTransitionTime: now.lastTransitionTime } : {}
    return [...withoutCondition(conditions, 'Progressing'), { ...next, ...kept }]
  }
  if (hasTimedOut(deployment, now, nowMs))
    return withCondition(conditions, say('False', 'ProgressDeadlineExceeded', 'has timed out progressing'))
  return conditions
}

/** More new, ready or available replicas, or fewer old ones. */
function hasProgressed(before: DeploymentStatus | undefined, after: DeploymentStatus): boolean {
  const old = (status: DeploymentStatus | undefined) => (status?.replicas ?? 0) - (status?.updatedReplicas ?? 0)
  const more = (key: 'updatedReplicas' | 'readyReplicas' | 'availableReplicas') =>
    (after[key] ?? 0) > (before?.[key] ?? 0)
  return more('updatedReplicas') || more('readyReplicas') || more('availableReplicas') || old(after) < old(before)
}

function hasTimedOut(deployment: Deployment, now: DeploymentCondition | undefined, nowMs: number): boolean {
  if (now === undefined || now.reason === 'NewReplicaSetAvailable') return false
  return now.reason === 'ProgressDeadlineExceeded' || timeLeftMs(deployment, now, nowMs) < 0
}

function timeLeftMs(deployment: Deployment, now: DeploymentCondition, nowMs: number): number {
  return Date.parse(now.lastUpdateTime ?? '') + (deadlineSeconds(deployment) ?? 0) * 1000 - nowMs
}

/** After how long to look again whether the deadline has passed; undefined where nothing waits for it. */
export function deadlineCheckMs(
  deployment: Stored<Deployment>,
  status: DeploymentStatus,
  nowMs: number,
): number | undefined {
  const now = progressing(status.conditions ?? [])
  if (deadlineSeconds(deployment) === undefined || now === undefined) return undefined
  if (isComplete(deployment, status) || now.reason === 'ProgressDeadlineExceeded') return undefined
  // Times have whole seconds, so look a second after the deadline.
  return Math.max(0, timeLeftMs(deployment, now, nowMs)) + 1000
}

/** What keeps a ReplicaSet from making pods; the new one's word goes before the old ones'. */
function replicaFailure(rollout: Rollout): DeploymentCondition | undefined {
  const sets: readonly ReplicaSet[] = rollout.current ? [rollout.current, ...rollout.old] : rollout.old
  for (const { status } of sets) {
    const failure = status?.conditions?.find(({ type }) => type === 'ReplicaFailure')
    if (failure === undefined) continue
    const { lastTransitionTime } = failure
    return { ...failure, ...(lastTransitionTime === undefined ? {} : { lastUpdateTime: lastTransitionTime }) }
  }
  return undefined
}
