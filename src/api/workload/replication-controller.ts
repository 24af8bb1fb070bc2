// ReplicationControllers: defaults, and what they may say (Kubernetes' pkg/apis/core).

import { checkNotNegative } from '#api/check-field.ts'
import type { ReplicationController } from '#api/core.ts'
import { type FieldError, invalid, required } from '#api/field-error.ts'
import { defaultPodTemplate } from '#api/pod/defaults.ts'
import { matchSelectorMap } from '#api/selector.ts'
import { validateReplicaSetStatus } from '#api/workload/deployment.ts'
import * as template from '#api/workload/template.ts'

/** Without a selector, or without labels of its own, it takes those of its template. */
export function defaultReplicationController(controller: ReplicationController): ReplicationController {
  const { spec = {}, metadata = {} } = controller
  const labels = spec.template?.metadata?.labels
  const isEmpty = (map: object | undefined) => Object.keys(map ?? {}).length === 0
  return {
    ...controller,
    metadata: { ...metadata, ...(labels && isEmpty(metadata.labels) ? { labels } : {}) },
    spec: {
      ...spec,
      replicas: spec.replicas ?? 1,
      ...(labels && isEmpty(spec.selector) ? { selector: labels } : {}),
      ...(spec.template && { template: defaultPodTemplate(spec.template) }),
    },
  }
}

export function validateReplicationController({ spec = {} }: ReplicationController): FieldError[] {
  const { selector = {}, template: made } = spec
  const labels = made?.metadata?.labels
  const isSelecting = Object.keys(selector).length > 0
  const path = 'spec.template'
  return [
    ...checkNotNegative('spec.minReadySeconds', spec.minReadySeconds),
    ...(isSelecting ? [] : [required('spec.selector')]),
    ...checkNotNegative('spec.replicas', spec.replicas),
    ...(made === undefined ? [required(path)] : []),
    ...(made !== undefined && isSelecting && !matchSelectorMap(selector, labels)
      ? [invalid(`${path}.metadata.labels`, labels, '`selector` does not match template `labels`')]
      : []),
    ...(made === undefined ? [] : template.checkLastingTemplate(made, 'ReplicationController')),
  ]
}

/** Its status counts what a ReplicaSet's does, but for the pods on their way out. */
export const validateReplicationControllerStatus = ({ status }: ReplicationController): FieldError[] =>
  validateReplicaSetStatus({ ...(status && { status }) })
