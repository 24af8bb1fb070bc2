// What to do about one Deployment, decided anew each time that it, its ReplicaSets or their pods change.
//
// The order is Kubernetes': a Deployment on its way out only counts; pausing and resuming is noted; a paused one scales
// but does not roll; a change of size is dealt with before a rollout goes on. Texts, reasons and annotations are
// Kubernetes' own, since kubectl reads them.

import { type Deployment, type DeploymentCondition, type ReplicaSet, deployments } from '#api/apps.ts'
import type { Pod } from '#api/core.ts'
import type { Stored } from '#api/stored.ts'
import { type Act, type Plan, eventAbout, patchOf, writeStatus } from '#client/control/act.ts'
import { withCondition } from '#controllers/condition.ts'
import { keepInStep } from '#controllers/deployment/current-replica-set.ts'
import { Draft } from '#controllers/deployment/draft.ts'
import { isRolling } from '#controllers/deployment/fenceposts.ts'
import { planRecreate } from '#controllers/deployment/recreate.ts'
import { replicasOf, rolloutOf } from '#controllers/deployment/replica-sets.ts'
import { revisionAnnotation, revisionOf } from '#controllers/deployment/revision.ts'
import { planRollback, wantedRollback } from '#controllers/deployment/rollback.ts'
import { planRolling } from '#controllers/deployment/rolling.ts'
import { isResized, planScale } from '#controllers/deployment/scale.ts'
import {
  condition,
  countStatus,
  deadlineCheckMs,
  deadlineSeconds,
  isComplete,
  progressing,
  rolloutStatus,
} from '#controllers/deployment/status.ts'
import { equalJson } from '#lib/equal.ts'

export type DeploymentState = {
  readonly deployment: Stored<Deployment>
  /** those that it owns */
  readonly replicaSets: readonly Stored<ReplicaSet>[]
  /** the pods of those */
  readonly pods: readonly Stored<Pod>[]
  readonly nowMs: number
}

export function planDeployment(state: DeploymentState): Plan {
  const { deployment, replicaSets, nowMs } = state
  const rollout = rolloutOf(deployment, replicaSets)
  const before = deployment.status?.conditions ?? []
  if (equalJson(deployment.spec.selector, {})) return planSelectingAll(deployment)
  if (deployment.metadata.deletionTimestamp !== undefined)
    return { acts: writeStatus(deployments, deployment, countStatus(deployment, rollout, before, nowMs)) }

  const draft = new Draft(deployment, rollout)
  keepInStep(draft)
  const conditions = withPause(deployment, nowMs)
  const rollback = deployment.spec.paused ? undefined : wantedRollback(deployment)
  if (rollback !== undefined) return { acts: planRollback(deployment, rollout, rollback) }
  if (deployment.spec.paused || isResized(draft)) {
    planScale(draft)
    if (deployment.spec.paused) cleanUp(draft)
    const status = countStatus(deployment, draft, withFound(draft, conditions, nowMs), nowMs)
    return { acts: [...draft.acts, ...writeRevision(draft), ...writeStatus(deployments, deployment, status)] }
  }
  return planRollout(state, draft, conditions)
}

function planRollout(
  { deployment, pods, nowMs }: DeploymentState,
  draft: Draft,
  conditions: readonly DeploymentCondition[],
): Plan {
  const had = draft.current !== undefined
  const busy = isRolling(deployment) ? planRolling(draft) : planRecreate(draft, pods)
  if (!busy && isComplete(deployment, deployment.status)) cleanUp(draft)
  const known = had ? withFound(draft, conditions, nowMs) : withCreated(draft, conditions, nowMs)
  const status = rolloutStatus(deployment, draft, known, nowMs)
  const againAfterMs = deadlineCheckMs(deployment, status, nowMs)
  return {
    acts: [...draft.acts, ...writeRevision(draft), ...writeStatus(deployments, deployment, status)],
    ...(againAfterMs === undefined ? {} : { againAfterMs }),
  }
}

/** What a server says to a new ReplicaSet decides what to write instead of the rest of the plan. */
export function planCreateFailure(deployment: Stored<Deployment>, name: string, error: string, nowMs: number): Plan {
  const message = `Failed to create new replica set "${name}": ${error}`
  const event = eventAbout(deployments, deployment, 'Warning', 'ReplicaSetCreateError', message)
  if (deadlineSeconds(deployment) === undefined) return { acts: [event] }
  const failed = condition('Progressing', 'False', 'ReplicaSetCreateError', message, nowMs)
  const conditions = withCondition(deployment.status?.conditions ?? [], failed)
  return { acts: [event, ...writeStatus(deployments, deployment, { ...deployment.status, conditions })] }
}

/** Another ReplicaSet has the name that the template's hash gives: count it, and the next hash will be another. */
export function planCollision(deployment: Stored<Deployment>): Plan {
  const collisionCount = (deployment.status?.collisionCount ?? 0) + 1
  return { acts: writeStatus(deployments, deployment, { ...deployment.status, collisionCount }) }
}

function planSelectingAll(deployment: Stored<Deployment>): Plan {
  const message = 'This deployment is selecting all pods. A non-empty selector is required.'
  const { generation = 0 } = deployment.metadata
  const status = { ...deployment.status, observedGeneration: generation }
  return {
    acts: [
      eventAbout(deployments, deployment, 'Warning', 'SelectingAll', message),
      ...writeStatus(deployments, deployment, status),
    ],
  }
}

/** While paused, lack of progress is not to be held against it; nor is the time that it was paused. */
function withPause(deployment: Stored<Deployment>, nowMs: number): readonly DeploymentCondition[] {
  const conditions = deployment.status?.conditions ?? []
  const now = progressing(conditions)
  if (deadlineSeconds(deployment) === undefined || now?.reason === 'ProgressDeadlineExceeded') return conditions
  const wasPaused = now?.reason === 'DeploymentPaused'
  if ((deployment.spec.paused ?? false) === wasPaused) return conditions
  const [reason, message] = wasPaused
    ? ['DeploymentResumed', 'Deployment is resumed']
    : ['DeploymentPaused', 'Deployment is paused']
  return withCondition(conditions, condition('Progressing', 'Unknown', reason, message, nowMs))
}

function withFound(
  { deployment, current }: Draft,
  conditions: readonly DeploymentCondition[],
  nowMs: number,
): readonly DeploymentCondition[] {
  if (current === undefined || deadlineSeconds(deployment) === undefined || progressing(conditions)) return conditions
  const message = `Found new replica set "${current.metadata.name}"`
  return withCondition(conditions, condition('Progressing', 'True', 'FoundNewReplicaSet', message, nowMs))
}

function withCreated(
  { deployment, current }: Draft,
  conditions: readonly DeploymentCondition[],
  nowMs: number,
): readonly DeploymentCondition[] {
  if (current === undefined || deadlineSeconds(deployment) === undefined) return conditions
  const message = `Created new replica set "${current.metadata.name}"`
  return withCondition(conditions, condition('Progressing', 'True', 'NewReplicaSetCreated', message, nowMs))
}

/** Removes the oldest ReplicaSets without replicas beyond the history limit. */
function cleanUp(draft: Draft): void {
  const limit = draft.deployment.spec.revisionHistoryLimit
  if (limit === undefined || limit === 0x7fffffff) return
  const alive = draft.old
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .toSorted((a, b) => (revisionOf(a) ?? 0) - (revisionOf(b) ?? 0))
  for (const set of alive.slice(0, Math.max(0, alive.length - limit))) {
    const { replicas = 0, observedGeneration = 0 } = set.status ?? {}
    const isIdle = replicas === 0 && replicasOf(set) === 0 && (set.metadata.generation ?? 0) <= observedGeneration
    if (isIdle) draft.remove(set)
  }
}

/** The Deployment carries the revision of its new ReplicaSet. */
function writeRevision({ deployment, current }: Draft): readonly Act[] {
  const revision = current?.metadata.annotations?.[revisionAnnotation]
  if (revision === undefined || deployment.metadata.annotations?.[revisionAnnotation] === revision) return []
  return [patchOf(deployments, deployment, { metadata: { annotations: { [revisionAnnotation]: revision } } })]
}
