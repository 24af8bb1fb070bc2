// DaemonSets and ControllerRevisions: defaults, and what they may say (Kubernetes' pkg/apis/apps).

import type { ControllerRevision, DaemonSet, DaemonSetSpec } from '#api/apps.ts'
import { checkNotNegative } from '#api/check-field.ts'
import { type FieldError, invalid, notSupported, required } from '#api/field-error.ts'
import { checkLabelSelector } from '#api/labels.ts'
import { defaultPodTemplate } from '#api/pod/defaults.ts'
import * as count from '#api/workload/count.ts'
import * as template from '#api/workload/template.ts'
import { equalJson } from '#lib/equal.ts'

const specOf = (set: DaemonSet): DaemonSetSpec => set.spec ?? ({} as DaemonSetSpec)

export function defaultDaemonSet(set: DaemonSet): DaemonSet {
  const spec = specOf(set)
  const type = spec.updateStrategy?.type || 'RollingUpdate'
  const rolling = { maxUnavailable: 1, maxSurge: 0, ...spec.updateStrategy?.rollingUpdate }
  return {
    ...set,
    spec: {
      ...spec,
      updateStrategy: { ...spec.updateStrategy, type, ...(type === 'RollingUpdate' ? { rollingUpdate: rolling } : {}) },
      revisionHistoryLimit: spec.revisionHistoryLimit ?? 10,
      template: defaultPodTemplate(spec.template),
    },
  }
}

const generationKey = 'deprecated.daemonset.template.generation'

/** Counts the changes of the pod template in an annotation, where clients of long ago look for it. */
export function countTemplate(set: DaemonSet, old: DaemonSet | undefined): DaemonSet {
  const known = Number((old ?? set).metadata?.annotations?.[generationKey] ?? 0)
  const isNew = old !== undefined && !equalJson(set.spec?.template, old.spec?.template)
  const generation = old === undefined ? Math.max(known || 0, 1) : known + (isNew ? 1 : 0)
  const annotations = { ...set.metadata?.annotations, [generationKey]: String(generation) }
  return { ...set, metadata: { ...set.metadata, annotations } }
}

export function validateDaemonSet(set: DaemonSet, old: DaemonSet | undefined): FieldError[] {
  const spec = specOf(set)
  const { selector } = spec
  const isEmpty =
    selector !== undefined && Object.keys(selector.matchLabels ?? {}).length === 0 && !selector.matchExpressions?.length
  return [
    ...(old ? template.checkSameSelector(selector, old.spec?.selector) : []),
    ...checkLabelSelector(selector, 'spec.selector'),
    ...template.checkFit(selector, spec.template),
    ...(isEmpty ? [invalid('spec.selector', selector, 'empty selector is invalid for daemonset')] : []),
    ...template.checkLastingTemplate(spec.template, 'DaemonSet'),
    ...checkNotNegative('spec.minReadySeconds', spec.minReadySeconds),
    ...checkStrategy(spec),
    ...checkNotNegative('spec.revisionHistoryLimit', spec.revisionHistoryLimit),
  ]
}

function checkStrategy({ updateStrategy: strategy }: DaemonSetSpec): FieldError[] {
  const path = 'spec.updateStrategy'
  const { type, rollingUpdate } = strategy ?? {}
  if (type === 'OnDelete') return []
  if (type !== 'RollingUpdate') {
    const shown = { Type: type ?? '', RollingUpdate: rollingUpdate ?? null }
    return [notSupported(path, shown, ['RollingUpdate', 'OnDelete'])]
  }
  if (!rollingUpdate) return [required(`${path}.rollingUpdate`)]
  const { maxUnavailable, maxSurge } = rollingUpdate
  const less = `${path}.rollingUpdate.maxUnavailable`
  const more = `${path}.rollingUpdate.maxSurge`
  const hasLess = count.countOf(maxUnavailable) !== 0
  const hasMore = count.countOf(maxSurge) !== 0
  return [
    ...count.checkCountOrPercent(less, maxUnavailable),
    ...count.checkCountOrPercent(more, maxSurge),
    ...count.checkAtMostAll(less, maxUnavailable),
    ...count.checkAtMostAll(more, maxSurge),
    ...(hasLess && hasMore ? [invalid(more, maxSurge, 'may not be set when maxUnavailable is non-zero')] : []),
    ...(!hasLess && !hasMore ? [required(less, 'cannot be 0 when maxSurge is 0')] : []),
  ]
}

export function validateDaemonSetStatus({ status }: DaemonSet, old: DaemonSet): FieldError[] {
  if (status === undefined) return []
  return [
    ...count.checkCounts(status, [
      'currentNumberScheduled',
      'numberMisscheduled',
      'desiredNumberScheduled',
      'numberReady',
      'observedGeneration',
      'updatedNumberScheduled',
      'numberAvailable',
      'numberUnavailable',
      'collisionCount',
    ]),
    ...count.checkNotLess('status.collisionCount', status.collisionCount, old.status?.collisionCount),
  ]
}

export function validateControllerRevision(
  { revision, data }: ControllerRevision,
  old: ControllerRevision | undefined,
): FieldError[] {
  const errors = checkNotNegative('revision', revision)
  if (old !== undefined)
    return equalJson(data, old.data) ? errors : [...errors, invalid('data', data, 'field is immutable')]
  if (data === undefined || data === null) return [...errors, required('data', 'data is mandatory')]
  return typeof data === 'object' && !Array.isArray(data)
    ? errors
    : [...errors, required('data', 'data must be a valid JSON object')]
}
