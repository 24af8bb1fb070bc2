// Jobs: defaults, and what they may say (Kubernetes' pkg/apis/batch).

import type { Job, JobSpec } from '#api/batch.ts'
import { checkNotNegative, checkOptionalWord } from '#api/check-field.ts'
import { type FieldError, invalid, notSupported, required } from '#api/field-error.ts'
import { checkLabelSelector } from '#api/labels.ts'
import { dns1123Label } from '#api/names.ts'
import { defaultPodTemplate } from '#api/pod/defaults.ts'
import { validatePodTemplate } from '#api/pod/validate.ts'
import * as template from '#api/workload/template.ts'
import { equalJson } from '#lib/equal.ts'

const specOf = (job: Job): JobSpec => job.spec ?? ({} as JobSpec)

export function defaultJob(job: Job): Job {
  const spec = defaultJobSpec(specOf(job))
  const labels = spec.template.metadata?.labels
  const isLabelled = labels === undefined || Object.keys(job.metadata?.labels ?? {}).length > 0
  return { ...job, ...(isLabelled ? {} : { metadata: { ...job.metadata, labels } }), spec }
}

function defaultJobSpec(spec: JobSpec): JobSpec {
  const isSingle = spec.completions === undefined && spec.parallelism === undefined
  return {
    ...spec,
    ...(isSingle ? { completions: 1 } : {}),
    parallelism: spec.parallelism ?? 1,
    backoffLimit: spec.backoffLimit ?? (spec.backoffLimitPerIndex === undefined ? 6 : 2147483647),
    completionMode: spec.completionMode ?? 'NonIndexed',
    suspend: spec.suspend ?? false,
    podReplacementPolicy: spec.podReplacementPolicy ?? (spec.podFailurePolicy ? 'Failed' : 'TerminatingOrFailed'),
    manualSelector: spec.manualSelector ?? false,
    template: defaultPodTemplate(spec.template),
  }
}

/** The pods of a Job are known by its UID, unless it says that it chooses the selector itself. */
export function selectOwnPods(job: Job): Job {
  const spec = specOf(job)
  if (spec.manualSelector) return job
  const { name = '', uid = '' } = job.metadata ?? {}
  const own = { 'job-name': name, 'batch.kubernetes.io/job-name': name, 'controller-uid': uid, [uidLabel]: uid }
  const labels = { ...own, ...spec.template.metadata?.labels }
  return {
    ...job,
    spec: {
      ...spec,
      selector: { ...spec.selector, matchLabels: { [uidLabel]: uid, ...spec.selector?.matchLabels } },
      template: { ...spec.template, metadata: { ...spec.template.metadata, labels } },
    },
  }
}
const uidLabel = 'batch.kubernetes.io/controller-uid'

export function validateJob(job: Job, old: Job | undefined): FieldError[] {
  const spec = specOf(job)
  const errors = [
    ...checkJobSpec(spec, 'spec'),
    ...(spec.selector === undefined ? [required('spec.selector')] : checkLabelSelector(spec.selector, 'spec.selector')),
    ...template.checkFit(spec.selector, spec.template),
  ]
  const name = job.metadata?.name ?? ''
  const last = `${name}-${(spec.completions ?? 1) - 1}`
  if (spec.completionMode === 'Indexed' && (spec.completions ?? 0) > 0 && dns1123Label(last).length > 0)
    errors.push(invalid('metadata.name', name, `will not able to create pod with invalid DNS label: ${last}`))
  return old ? [...errors, ...checkChange(spec, specOf(old))] : errors
}

const counts = [
  'parallelism',
  'completions',
  'activeDeadlineSeconds',
  'backoffLimit',
  'ttlSecondsAfterFinished',
  'backoffLimitPerIndex',
  'maxFailedIndexes',
] as const

function checkJobSpec(spec: JobSpec, path: string): FieldError[] {
  const errors = counts.flatMap((field) => checkNotNegative(`${path}.${field}`, spec[field]))
  errors.push(...checkOptionalWord(`${path}.completionMode`, spec.completionMode, ['NonIndexed', 'Indexed']))
  if (spec.completionMode === 'Indexed') {
    if (spec.completions === undefined) errors.push(required(`${path}.completions`, 'when completion mode is Indexed'))
  } else
    for (const field of ['backoffLimitPerIndex', 'maxFailedIndexes', 'successPolicy'] as const)
      if (spec[field] !== undefined)
        errors.push(invalid(`${path}.${field}`, spec[field], 'requires indexed completion mode'))
  const policies = spec.podFailurePolicy ? ['Failed'] : ['Failed', 'TerminatingOrFailed']
  errors.push(...checkOptionalWord(`${path}.podReplacementPolicy`, spec.podReplacementPolicy, policies))
  errors.push(...validatePodTemplate(spec.template ?? {}, `${path}.template`))
  const place = `${path}.template.spec.restartPolicy`
  const policy = spec.template?.spec?.restartPolicy ?? ''
  if (policy === 'Always' || policy === '') errors.push(required(place, 'valid values: "OnFailure", "Never"'))
  else if (policy !== 'OnFailure' && policy !== 'Never')
    errors.push(notSupported(place, policy, ['OnFailure', 'Never']))
  else if (spec.podFailurePolicy && policy !== 'Never')
    errors.push(invalid(place, policy, 'only "Never" is supported when podFailurePolicy is specified'))
  return errors
}

const fixed = ['completionMode', 'podFailurePolicy', 'backoffLimitPerIndex', 'managedBy', 'successPolicy'] as const

/** A Job runs what it was made with; only how many, how long and whether may change. */
function checkChange(spec: JobSpec, old: JobSpec): FieldError[] {
  const immutable = (field: keyof JobSpec & string): FieldError[] =>
    equalJson(spec[field], old[field]) ? [] : [invalid(`spec.${field}`, spec[field], 'field is immutable')]
  const grows = spec.completionMode === 'Indexed' && spec.completions === spec.parallelism
  return [
    ...(grows ? [] : immutable('completions')),
    ...immutable('selector'),
    ...(old.suspend ? [] : immutable('template')),
    ...fixed.flatMap(immutable),
  ]
}
