// ReplicaSets.

import type { Kind } from '#apiserver/kind.ts'
import {
  age,
  ageColumn,
  containerCells,
  containerColumns,
  integer,
  nameColumn,
  nameOf,
  wide,
} from '#apiserver/kinds/cells.ts'
import { type ReplicaSet, replicaSets } from '#api/apps.ts'
import { formatLabelSelector } from '#api/selector.ts'
import { defaultReplicaSet, validateReplicaSet, validateReplicaSetStatus } from '#api/workload/deployment.ts'
import { warnAboutPodNames } from '#api/workload/template.ts'

export const replicaSetKind: Kind<ReplicaSet> = {
  resource: replicaSets,
  type: 'apps.ReplicaSet',
  singular: 'replicaset',
  shortNames: ['rs'],
  categories: ['all'],
  columns: [
    nameColumn,
    integer('Desired'),
    integer('Current'),
    integer('Ready'),
    ageColumn,
    ...containerColumns,
    wide('Selector'),
  ],
  row: (set, nowMs) => [
    nameOf(set),
    set.spec?.replicas ?? 0,
    set.status?.replicas ?? 0,
    set.status?.readyReplicas ?? 0,
    age(set, nowMs),
    ...containerCells(set.spec?.template?.spec?.containers),
    formatLabelSelector(set.spec?.selector),
  ],
  default: defaultReplicaSet,
  prepareCreate: (set) => ({ ...set, status: { replicas: 0 } }),
  prepareUpdate: (set, old) => ({ ...set, status: old.status ?? { replicas: 0 } }),
  validate: validateReplicaSet,
  warnings: (set, old) => (old === undefined ? warnAboutPodNames(nameOf(set)) : []),
  generation: 'spec',
  status: { validate: validateReplicaSetStatus },
  scale: { specReplicas: '.spec.replicas', statusReplicas: '.status.replicas', selector: '.spec.selector' },
  fields: (set) => ({ 'status.replicas': `${set.status?.replicas ?? 0}` }),
}
