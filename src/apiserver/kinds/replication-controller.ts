// ReplicationControllers: what ReplicaSets were before, with a plain map as their selector.

import type { Kind } from '#apiserver/kind.ts'
import { age, containerCells, labelsText, nameOf } from '#apiserver/kinds/cells.ts'
import { replicaSetKind } from '#apiserver/kinds/replica-set.ts'
import { type ReplicationController, replicationControllers } from '#api/core.ts'
import * as workload from '#api/workload/replication-controller.ts'
import { warnAboutPodNames } from '#api/workload/template.ts'

export const replicationControllerKind: Kind<ReplicationController> = {
  resource: replicationControllers,
  type: 'core.ReplicationController',
  singular: 'replicationcontroller',
  shortNames: ['rc'],
  categories: ['all'],
  columns: replicaSetKind.columns,
  row: (controller, nowMs) => [
    nameOf(controller),
    controller.spec?.replicas ?? 0,
    controller.status?.replicas ?? 0,
    controller.status?.readyReplicas ?? 0,
    age(controller, nowMs),
    ...containerCells(controller.spec?.template?.spec?.containers),
    labelsText(controller.spec?.selector),
  ],
  default: workload.defaultReplicationController,
  prepareCreate: (controller) => ({ ...controller, status: { replicas: 0 } }),
  prepareUpdate: (controller, old) => ({ ...controller, status: old.status ?? { replicas: 0 } }),
  validate: workload.validateReplicationController,
  warnings: (controller, old) => (old === undefined ? warnAboutPodNames(nameOf(controller)) : []),
  generation: 'spec',
  status: { validate: workload.validateReplicationControllerStatus },
  scale: { specReplicas: '.spec.replicas', statusReplicas: '.status.replicas', selector: '.spec.selector' },
  orphanByDefault: true,
  fields: (controller) => ({ 'status.replicas': `${controller.status?.replicas ?? 0}` }),
}
