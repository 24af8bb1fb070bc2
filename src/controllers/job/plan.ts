// What to do about one Job: run pods until enough have succeeded, or too many have failed, or the time is up.

import { type Job, type JobStatus, jobs } from '#api/batch.ts'
import { type Pod, pods as podResource } from '#api/core.ts'
import { isPodReady, isPodTerminating } from '#api/pod-state.ts'
import type { Stored } from '#api/stored.ts'
import { formatTime } from '#api/time.ts'
import { type Act, eventAbout, patchOf, targetOf } from '#client/control/act.ts'
import { withCondition } from '#controllers/condition.ts'
import { type Count, allFailed, allSucceeded, countPods } from '#controllers/job/count.ts'
import { formatIndexes } from '#controllers/job/indexes.ts'
import { endedMs, indexOf, isActive, isIndexed, isTracked, jobPod, trackingFinalizer } from '#controllers/job/pods.ts'
import { chooseVictims } from '#controllers/replicaset/victims.ts'

/** Pause before the pod after a failed one: the first, doubled with each failure, up to the most. */
const backoffMs = { first: 10_000, most: 600_000 }
const burst = 500

export type JobState = { readonly job: Stored<Job>; readonly pods: readonly Stored<Pod>[]; readonly nowMs: number }

export type JobPlan = {
  readonly create: readonly Pod[]
  readonly remove: readonly Stored<Pod>[]
  readonly status: JobStatus
  /** after the status is written: takes finalizers off pods that it has noted */
  readonly release: readonly Act[]
  readonly events: readonly Act[]
  /** deletes a Job whose time after its end is up */
  readonly expire?: Act
  readonly againAfterMs?: number
}

type Verdict = { readonly type: 'Complete' | 'Failed'; readonly reason: string; readonly message: string }
type Condition = NonNullable<JobStatus['conditions']>[number]

const holds = ({ status }: Job, type: string): Condition | undefined =>
  status?.conditions?.find((condition) => condition.type === type && condition.status === 'True')

export function planJob(state: JobState): JobPlan {
  const { job, pods, nowMs } = state
  const count = countPods(job, pods)
  const release = count.release.map(withoutFinalizer)
  const ended = holds(job, 'Complete') ?? holds(job, 'Failed')
  if (ended !== undefined)
    return { create: [], remove: [], status: job.status!, release, events: [], ...expiry(state, ended) }
  if (job.metadata.deletionTimestamp !== undefined)
    return { create: [], remove: [], status: statusOf(state, count, {}), release, events: [] }

  const startTime = job.spec.suspend ? undefined : (job.status?.startTime ?? formatTime(nowMs))
  const verdict = verdictOf(state, count, startTime)
  const active = pods.filter(isActive)
  if (verdict !== undefined) return planEnd(state, count, verdict, startTime, release)
  if (job.spec.suspend) return { ...planSuspension(state, count), remove: active, release }
  const resumed = resumption(state)
  const { create, remove, pauseMs } = planPods(state, count, active)
  const deadline = job.spec.activeDeadlineSeconds
  const leftMs = deadline === undefined ? undefined : Date.parse(startTime!) + deadline * 1000 - nowMs
  const waits = [pauseMs, leftMs].filter((ms) => ms !== undefined && ms > 0) as number[]
  return {
    create,
    remove,
    release,
    status: statusOf(state, count, { startTime, ...resumed.conditions }),
    events: resumed.events,
    ...(waits.length === 0 ? {} : { againAfterMs: Math.min(...waits) }),
  }
}

export function withoutFinalizer(pod: Stored<Pod>): Act {
  const finalizers = pod.metadata.finalizers?.filter((one) => one !== trackingFinalizer) ?? []
  return patchOf(podResource, pod, { metadata: { finalizers } })
}

function expiry({ job, nowMs }: JobState, { lastTransitionTime }: Condition): Pick<JobPlan, 'expire' | 'againAfterMs'> {
  const { ttlSecondsAfterFinished: ttl } = job.spec
  if (ttl === undefined || job.metadata.deletionTimestamp !== undefined) return {}
  const leftMs = Date.parse(lastTransitionTime ?? '') + ttl * 1000 - nowMs
  if (leftMs > 0) return { againAfterMs: leftMs }
  return { expire: { kind: 'delete', resource: jobs, target: targetOf(job), propagation: 'Foreground' } }
}

function verdictOf({ job, pods, nowMs }: JobState, count: Count, startTime: string | undefined): Verdict | undefined {
  const { backoffLimit = 6, completions, activeDeadlineSeconds, template } = job.spec
  const target = holds(job, 'FailureTarget')
  if (target !== undefined) return { type: 'Failed', reason: target.reason ?? '', message: target.message ?? '' }
  const restarts = pods
    .filter(isActive)
    .flatMap(({ status }) => status?.containerStatuses ?? [])
    .reduce((sum, { restartCount }) => sum + restartCount, 0)
  const isRestarting = template.spec?.restartPolicy === 'OnFailure' && restarts > 0 && restarts >= backoffLimit
  if (allFailed(count) > backoffLimit || isRestarting)
    return { type: 'Failed', reason: 'BackoffLimitExceeded', message: 'Job has reached the specified backoff limit' }
  const isLate =
    startTime !== undefined &&
    activeDeadlineSeconds !== undefined &&
    nowMs >= Date.parse(startTime) + activeDeadlineSeconds * 1000
  if (isLate)
    return { type: 'Failed', reason: 'DeadlineExceeded', message: 'Job was active longer than specified deadline' }
  const done = allSucceeded(job, count)
  const isDone = completions === undefined ? done > 0 && !pods.some(isActive) : done >= completions
  if (!isDone) return undefined
  return { type: 'Complete', reason: 'CompletionsReached', message: 'Reached expected number of succeeded pods' }
}

/** What still runs is ended; the last word is said when nothing is left to wait for or to count. */
function planEnd(
  state: JobState,
  count: Count,
  { type, reason, message }: Verdict,
  startTime: string | undefined,
  release: readonly Act[],
): JobPlan {
  const { job, pods, nowMs } = state
  const remove = pods.filter(isActive)
  const isSettled =
    remove.length === 0 &&
    count.release.length === 0 &&
    count.noted.succeeded.length + count.noted.failed.length === 0 &&
    !pods.some((pod) => isPodTerminating(pod) && isTracked(pod))
  const said = {
    status: 'True',
    reason,
    message,
    lastProbeTime: formatTime(nowMs),
    lastTransitionTime: formatTime(nowMs),
  }
  const first = { ...said, type: type === 'Complete' ? 'SuccessCriteriaMet' : 'FailureTarget' }
  let conditions = withCondition<Condition>(job.status?.conditions ?? [], first)
  if (isSettled) conditions = withCondition<Condition>(conditions, { ...said, type })
  const completionTime = isSettled && type === 'Complete' ? { completionTime: formatTime(nowMs) } : {}
  const event =
    type === 'Complete'
      ? eventAbout(jobs, job, 'Normal', 'Completed', 'Job completed')
      : eventAbout(jobs, job, 'Warning', reason, message)
  return {
    create: [],
    remove,
    release,
    status: statusOf(state, count, { startTime, conditions, ...completionTime }),
    events: isSettled ? [event] : [],
  }
}

function planSuspension(state: JobState, count: Count): Omit<JobPlan, 'remove' | 'release'> {
  const { job, nowMs } = state
  const now = formatTime(nowMs)
  const suspended = {
    type: 'Suspended',
    status: 'True',
    reason: 'JobSuspended',
    message: 'Job suspended',
    lastProbeTime: now,
    lastTransitionTime: now,
  }
  const conditions = withCondition<Condition>(job.status?.conditions ?? [], suspended)
  const isNew = holds(job, 'Suspended') === undefined
  return {
    create: [],
    status: statusOf(state, count, { conditions }),
    events: isNew ? [eventAbout(jobs, job, 'Normal', 'Suspended', 'Job suspended')] : [],
  }
}

function resumption({ job, nowMs }: JobState): {
  readonly conditions: Partial<JobStatus>
  readonly events: readonly Act[]
} {
  if (holds(job, 'Suspended') === undefined) return { conditions: {}, events: [] }
  const now = formatTime(nowMs)
  const resumed = {
    type: 'Suspended',
    status: 'False',
    reason: 'JobResumed',
    message: 'Job resumed',
    lastProbeTime: now,
    lastTransitionTime: now,
  }
  return {
    conditions: { conditions: withCondition<Condition>(job.status?.conditions ?? [], resumed) },
    events: [eventAbout(jobs, job, 'Normal', 'Resumed', 'Job resumed')],
  }
}

/** Pods to add or take away; `pauseMs`: none are added for so long, since some have failed. */
function planPods(
  { job, pods, nowMs }: JobState,
  count: Count,
  active: readonly Stored<Pod>[],
): { readonly create: readonly Pod[]; readonly remove: readonly Stored<Pod>[]; readonly pauseMs?: number } {
  const { parallelism = 1, completions } = job.spec
  const done = allSucceeded(job, count)
  const wanted =
    completions === undefined
      ? done > 0
        ? Math.min(active.length, parallelism)
        : parallelism
      : Math.min(parallelism, completions - done)
  if (active.length > wanted)
    return { create: [], remove: chooseVictims(active, active, active.length - wanted, nowMs) }
  const going = job.spec.podReplacementPolicy === 'Failed' ? pods.filter(isPodTerminating).length : 0
  const missing = Math.min(burst, wanted - active.length - going)
  if (missing <= 0) return { create: [], remove: [] }
  const pauseMs = pauseAfterFailures(job, pods, nowMs)
  if (pauseMs > 0) return { create: [], remove: [], pauseMs }
  if (!isIndexed(job)) return { create: Array.from({ length: missing }, () => jobPod(job)), remove: [] }
  const taken = new Set([...count.indexes, ...active.flatMap((pod) => indexOf(pod) ?? [])])
  const free = Array.from({ length: completions ?? 0 }, (_, index) => index).filter((index) => !taken.has(index))
  return { create: free.slice(0, missing).map((index) => jobPod(job, index)), remove: [] }
}

/** Failures since the last success decide. */
function pauseAfterFailures(job: Job, pods: readonly Stored<Pod>[], nowMs: number): number {
  const ended = (phase: string) => pods.filter(({ status }) => status?.phase === phase).map(endedMs)
  const lastSuccess = Math.max(-Infinity, ...ended('Succeeded'))
  const failures = ended('Failed').filter((ms) => ms > lastSuccess)
  if (failures.length === 0) return 0
  const pause = Math.min(backoffMs.first * 2 ** (failures.length - 1), backoffMs.most)
  return Math.max(...failures) + pause - nowMs
}

function statusOf(
  { job, pods }: JobState,
  count: Count,
  changed: { readonly startTime?: string | undefined } & Partial<Omit<JobStatus, 'startTime'>>,
): JobStatus {
  const active = pods.filter(isActive)
  const { startTime, ...others } = changed
  const conditions = others.conditions ?? job.status?.conditions
  return {
    ...(conditions?.length ? { conditions } : {}),
    ...(startTime === undefined ? {} : { startTime }),
    ...(others.completionTime === undefined ? {} : { completionTime: others.completionTime }),
    ...nonZero('active', active.length),
    ...nonZero('succeeded', count.succeeded),
    ...nonZero('failed', count.failed),
    ...(count.indexes.size === 0 ? {} : { completedIndexes: formatIndexes(count.indexes) }),
    uncountedTerminatedPods: {
      ...(count.noted.succeeded.length === 0 ? {} : { succeeded: count.noted.succeeded }),
      ...(count.noted.failed.length === 0 ? {} : { failed: count.noted.failed }),
    },
    ready: active.filter(isPodReady).length,
    terminating: pods.filter(isPodTerminating).length,
  }
}

function nonZero<K extends keyof JobStatus>(name: K, count: number): { readonly [P in K]?: number } {
  return count === 0 ? {} : ({ [name]: count } as { readonly [P in K]: number })
}
