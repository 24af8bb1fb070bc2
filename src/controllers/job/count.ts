// Counting the pods of a Job exactly once each, whatever happens in between: a finished pod is noted in the status, then
// its finalizer is taken off, and only when that is seen does it move from the note into the count.

import type { Job, JobStatus } from '#api/batch.ts'
import type { Pod } from '#api/core.ts'
import type { Stored } from '#api/stored.ts'
import { failed, indexOf, isIndexed, isTracked, succeeded } from '#controllers/job/pods.ts'
import { parseIndexes } from '#controllers/job/indexes.ts'

export type Count = {
  /** counted for good */
  readonly succeeded: number
  readonly failed: number
  /** noted, not yet counted: UIDs */
  readonly noted: { readonly succeeded: readonly string[]; readonly failed: readonly string[] }
  /** numbers that are done, where the Job has numbers */
  readonly indexes: ReadonlySet<number>
  /** noted pods that still have the finalizer */
  readonly release: readonly Stored<Pod>[]
}

export function countPods(job: Stored<Job>, pods: readonly Stored<Pod>[]): Count {
  const { status = {} as JobStatus } = job
  const before = {
    succeeded: status.uncountedTerminatedPods?.succeeded ?? [],
    failed: status.uncountedTerminatedPods?.failed ?? [],
  }
  const byUid = new Map(pods.map((pod) => [pod.metadata.uid, pod]))
  const isReleased = (uid: string) => !isTracked(byUid.get(uid) ?? { metadata: {} })
  const noted = new Set([...before.succeeded, ...before.failed])
  const fresh = pods.filter((pod) => isTracked(pod) && !noted.has(pod.metadata.uid))
  const indexes = new Set(parseIndexes(status.completedIndexes))
  const succeededNow: string[] = []
  const failedNow: string[] = []
  for (const pod of fresh) {
    const index = indexOf(pod)
    if (succeeded(pod)) {
      // A number that is done already counts once.
      if (isIndexed(job) && (index === undefined || indexes.has(index))) continue
      if (index !== undefined) indexes.add(index)
      succeededNow.push(pod.metadata.uid)
    } else if (failed(job, pod)) failedNow.push(pod.metadata.uid)
  }
  const after = {
    succeeded: [...before.succeeded.filter((uid) => !isReleased(uid)), ...succeededNow],
    failed: [...before.failed.filter((uid) => !isReleased(uid)), ...failedNow],
  }
  const mayGo = (pod: Stored<Pod>) => isTracked(pod) && (succeeded(pod) || failed(job, pod))
  return {
    succeeded: (status.succeeded ?? 0) + before.succeeded.filter(isReleased).length,
    failed: (status.failed ?? 0) + before.failed.filter(isReleased).length,
    noted: after,
    indexes,
    release: pods.filter(mayGo),
  }
}

export const allSucceeded = (job: Job, { succeeded, noted, indexes }: Count): number =>
  isIndexed(job) ? indexes.size : succeeded + noted.succeeded.length
export const allFailed = ({ failed, noted }: Count): number => failed + noted.failed.length
