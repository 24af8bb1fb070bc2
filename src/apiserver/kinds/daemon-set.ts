// DaemonSets.

import type { Kind } from '#apiserver/kind.ts'
import {
  age,
  ageColumn,
  containerCells,
  containerColumns,
  integer,
  labelsText,
  nameColumn,
  nameOf,
  text,
  wide,
} from '#apiserver/kinds/cells.ts'
import { type DaemonSet, type DaemonSetStatus, daemonSets } from '#api/apps.ts'
import { formatLabelSelector } from '#api/selector.ts'
import {
  countTemplate,
  defaultDaemonSet,
  validateDaemonSet,
  validateDaemonSetStatus,
} from '#api/workload/daemon-set.ts'

const idle: DaemonSetStatus = {
  currentNumberScheduled: 0,
  numberMisscheduled: 0,
  desiredNumberScheduled: 0,
  numberReady: 0,
}

export const daemonSetKind: Kind<DaemonSet> = {
  resource: daemonSets,
  type: 'apps.DaemonSet',
  singular: 'daemonset',
  shortNames: ['ds'],
  categories: ['all'],
  columns: [
    nameColumn,
    integer('Desired'),
    integer('Current'),
    integer('Ready'),
    integer('Up-to-date'),
    integer('Available'),
    text('Node Selector'),
    ageColumn,
    ...containerColumns,
    wide('Selector'),
  ],
  row: (set, nowMs) => {
    const status = set.status ?? idle
    return [
      nameOf(set),
      status.desiredNumberScheduled,
      status.currentNumberScheduled,
      status.numberReady,
      status.updatedNumberScheduled ?? 0,
      status.numberAvailable ?? 0,
      labelsText(set.spec?.template?.spec?.nodeSelector),
      age(set, nowMs),
      ...containerCells(set.spec?.template?.spec?.containers),
      formatLabelSelector(set.spec?.selector),
    ]
  },
  default: defaultDaemonSet,
  prepareCreate: (set) => ({ ...countTemplate(set, undefined), status: idle }),
  prepareUpdate: (set, old) => ({ ...countTemplate(set, old), status: old.status ?? idle }),
  validate: validateDaemonSet,
  generation: 'spec',
  status: { validate: validateDaemonSetStatus },
}
