// StatefulSets.

import type { Kind } from '#apiserver/kind.ts'
import { age, ageColumn, containerCells, containerColumns, nameColumn, nameOf, text } from '#apiserver/kinds/cells.ts'
import { type StatefulSet, statefulSets } from '#api/apps.ts'
import { dns1123Label } from '#api/names.ts'
import { defaultStatefulSet, validateStatefulSet, validateStatefulSetStatus } from '#api/workload/stateful-set.ts'

export const statefulSetKind: Kind<StatefulSet> = {
  resource: statefulSets,
  type: 'apps.StatefulSet',
  singular: 'statefulset',
  shortNames: ['sts'],
  categories: ['all'],
  columns: [nameColumn, text('Ready'), ageColumn, ...containerColumns],
  row: (set, nowMs) => [
    nameOf(set),
    `${set.status?.readyReplicas ?? 0}/${set.spec?.replicas ?? 0}`,
    age(set, nowMs),
    ...containerCells(set.spec?.template?.spec?.containers),
  ],
  // Its pods add a number to it.
  name: (name) => dns1123Label(name)[0],
  default: defaultStatefulSet,
  prepareCreate: (set) => ({ ...set, status: { replicas: 0, availableReplicas: 0 } }),
  prepareUpdate: (set, old) => ({ ...set, status: old.status ?? { replicas: 0 } }),
  validate: validateStatefulSet,
  warnings: ({ spec }) =>
    (spec?.revisionHistoryLimit ?? 0) < 0
      ? ['spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended']
      : [],
  generation: 'spec',
  status: { validate: validateStatefulSetStatus },
  scale: { specReplicas: '.spec.replicas', statusReplicas: '.status.replicas', selector: '.spec.selector' },
}
