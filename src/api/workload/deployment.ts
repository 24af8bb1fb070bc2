// Deployments and ReplicaSets: defaults, and what they may say (Kubernetes' pkg/apis/apps).

import type { Deployment, DeploymentSpec, ReplicaSet, ReplicaSetSpec } from '#api/apps.ts'
import { checkNotNegative } from '#api/check-field.ts'
import { type FieldError, forbidden, invalid, notSupported, required } from '#api/field-error.ts'
import { defaultPodTemplate } from '#api/pod/defaults.ts'
import * as count from '#api/workload/count.ts'
import * as template from '#api/workload/template.ts'

export function defaultDeployment(deployment: Deployment): Deployment {
  const spec = specOf(deployment)
  const type = spec.strategy?.type || 'RollingUpdate'
  const rolling = { maxUnavailable: '25%', maxSurge: '25%', ...spec.strategy?.rollingUpdate }
  return {
    ...deployment,
    spec: {
      ...spec,
      replicas: spec.replicas ?? 1,
      strategy: { ...spec.strategy, type, ...(type === 'RollingUpdate' ? { rollingUpdate: rolling } : {}) },
      revisionHistoryLimit: spec.revisionHistoryLimit ?? 10,
      progressDeadlineSeconds: spec.progressDeadlineSeconds ?? 600,
      template: defaultPodTemplate(spec.template),
    },
  }
}

export function validateDeployment(deployment: Deployment, old: Deployment | undefined): FieldError[] {
  const spec = specOf(deployment)
  const { progressDeadlineSeconds: deadline, minReadySeconds = 0 } = spec
  const errors = [
    ...checkNotNegative('spec.replicas', spec.replicas),
    ...template.checkSelector(spec.selector, 'deployment'),
    ...template.checkFit(spec.selector, spec.template),
    ...template.checkLastingTemplate(spec.template, 'ReplicaSet'),
    ...checkStrategy(spec),
    ...checkNotNegative('spec.minReadySeconds', spec.minReadySeconds),
    ...checkNotNegative('spec.revisionHistoryLimit', spec.revisionHistoryLimit),
    ...checkNotNegative('spec.progressDeadlineSeconds', deadline),
  ]
  if (deadline !== undefined && deadline <= minReadySeconds)
    errors.push(invalid('spec.progressDeadlineSeconds', deadline, 'must be greater than minReadySeconds'))
  return old ? [...errors, ...template.checkSameSelector(spec.selector, old.spec?.selector)] : errors
}

const specOf = (deployment: Deployment): DeploymentSpec => deployment.spec ?? ({} as DeploymentSpec)

function checkStrategy({ strategy = {} }: DeploymentSpec): FieldError[] {
  const { type, rollingUpdate } = strategy
  const path = 'spec.strategy'
  if (type === 'Recreate') {
    const not = "may not be specified when strategy `type` is 'Recreate'"
    return rollingUpdate ? [forbidden(`${path}.rollingUpdate`, not)] : []
  }
  if (type !== 'RollingUpdate') {
    const shown = { Type: type ?? '', RollingUpdate: rollingUpdate ?? null }
    return [notSupported(path, shown, ['Recreate', 'RollingUpdate'])]
  }
  if (!rollingUpdate) return [required(`${path}.rollingUpdate`, 'this should be defaulted and never be nil')]
  const { maxUnavailable, maxSurge } = rollingUpdate
  const place = `${path}.rollingUpdate.maxUnavailable`
  const isStuck = count.countOf(maxUnavailable) === 0 && count.countOf(maxSurge) === 0
  return [
    ...count.checkCountOrPercent(place, maxUnavailable),
    ...count.checkCountOrPercent(`${path}.rollingUpdate.maxSurge`, maxSurge),
    ...(isStuck ? [invalid(place, maxUnavailable, 'may not be 0 when `maxSurge` is 0')] : []),
    ...count.checkAtMostAll(place, maxUnavailable),
  ]
}

export function validateDeploymentStatus({ status = {} }: Deployment, old: Deployment): FieldError[] {
  return [
    ...count.checkCounts(status, [
      'observedGeneration',
      'replicas',
      'updatedReplicas',
      'readyReplicas',
      'availableReplicas',
      'unavailableReplicas',
      'terminatingReplicas',
      'collisionCount',
    ]),
    ...count.checkParts(status, 'replicas', ['updatedReplicas', 'readyReplicas', 'availableReplicas']),
    ...count.checkParts(status, 'readyReplicas', ['availableReplicas'], 'readyReplicas'),
    ...count.checkNotLess('status.collisionCount', status.collisionCount, old.status?.collisionCount),
  ]
}

export function defaultReplicaSet(set: ReplicaSet): ReplicaSet {
  const spec = set.spec ?? ({} as ReplicaSetSpec)
  return { ...set, spec: { ...spec, replicas: spec.replicas ?? 1, template: defaultPodTemplate(spec.template) } }
}

export function validateReplicaSet({ spec }: ReplicaSet, old: ReplicaSet | undefined): FieldError[] {
  const errors = [
    ...checkNotNegative('spec.replicas', spec?.replicas),
    ...checkNotNegative('spec.minReadySeconds', spec?.minReadySeconds),
    // Upstream calls it a deployment here too.
    ...template.checkSelector(spec?.selector, 'deployment'),
    ...template.checkFit(spec?.selector, spec?.template),
    ...template.checkLastingTemplate(spec?.template, 'ReplicaSet'),
  ]
  return old ? [...errors, ...template.checkSameSelector(spec?.selector, old.spec?.selector)] : errors
}

export function validateReplicaSetStatus({ status }: ReplicaSet): FieldError[] {
  if (status === undefined) return []
  return [
    ...count.checkCounts(status, [
      'replicas',
      'fullyLabeledReplicas',
      'readyReplicas',
      'availableReplicas',
      'observedGeneration',
      'terminatingReplicas',
    ]),
    ...count.checkParts(status, 'replicas', ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas']),
    ...count.checkParts(status, 'readyReplicas', ['availableReplicas'], 'readyReplicas'),
  ]
}
