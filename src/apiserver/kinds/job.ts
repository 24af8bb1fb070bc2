// Jobs.

import type { Kind } from '#apiserver/kind.ts'
import {
  age,
  ageColumn,
  containerCells,
  containerColumns,
  nameColumn,
  nameOf,
  text,
  wide,
} from '#apiserver/kinds/cells.ts'
import { type Job, jobs } from '#api/batch.ts'
import { formatLabelSelector } from '#api/selector.ts'
import { defaultJob, selectOwnPods, validateJob } from '#api/workload/job.ts'
import { warnAboutPodNames } from '#api/workload/template.ts'
import { ageOf } from '#lib/duration.ts'

export const jobKind: Kind<Job> = {
  resource: jobs,
  type: 'batch.Job',
  singular: 'job',
  categories: ['all'],
  columns: [
    nameColumn,
    text('Status'),
    text('Completions'),
    text('Duration'),
    ageColumn,
    ...containerColumns,
    wide('Selector'),
  ],
  row: (job, nowMs) => [
    nameOf(job),
    statusText(job),
    completionsText(job),
    durationText(job, nowMs),
    age(job, nowMs),
    ...containerCells(job.spec?.template?.spec?.containers),
    formatLabelSelector(job.spec?.selector),
  ],
  default: defaultJob,
  prepareCreate: (job) => ({ ...defaultJob(selectOwnPods(job)), status: {} }),
  prepareUpdate: (job, old) => ({ ...job, status: old.status ?? {} }),
  validate: validateJob,
  warnings: (job, old) => (old === undefined ? warnAboutPodNames(nameOf(job)) : []),
  generation: 'spec',
  status: true,
  orphanByDefault: true,
  deleteWarning:
    'child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning',
  fields: (job) => ({ 'status.successful': `${job.status?.succeeded ?? 0}` }),
}

/** The first of these conditions that holds; a Job that is going away shows it before it shows a suspension. */
function statusText(job: Job): string {
  const holds = (type: string) =>
    job.status?.conditions?.some((condition) => condition.type === type && condition.status === 'True')
  if (holds('Complete')) return 'Complete'
  if (holds('Failed')) return 'Failed'
  if (job.metadata?.deletionTimestamp !== undefined) return 'Terminating'
  const others = ['Suspended', 'FailureTarget', 'SuccessCriteriaMet']
  return others.find(holds) ?? 'Running'
}

function completionsText({ spec, status }: Job): string {
  const done = status?.succeeded ?? 0
  if (spec?.completions !== undefined) return `${done}/${spec.completions}`
  const parallelism = spec?.parallelism ?? 0
  return parallelism > 1 ? `${done}/1 of ${parallelism}` : `${done}/1`
}

function durationText({ status }: Job, nowMs: number): string {
  if (status?.startTime === undefined) return ''
  const end = status.completionTime === undefined ? nowMs : Date.parse(status.completionTime)
  return ageOf(end - Date.parse(status.startTime))
}
