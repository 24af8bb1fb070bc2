// Deployments.

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
import { type Deployment, deployments } from '#api/apps.ts'
import { formatRequirements, requirementsOf } from '#api/selector.ts'
import { defaultDeployment, validateDeployment, validateDeploymentStatus } from '#api/workload/deployment.ts'
import { warnAboutPodNames } from '#api/workload/template.ts'

export const deploymentKind: Kind<Deployment> = {
  resource: deployments,
  type: 'apps.Deployment',
  singular: 'deployment',
  shortNames: ['deploy'],
  categories: ['all'],
  columns: [
    nameColumn,
    text('Ready'),
    text('Up-to-date'),
    text('Available'),
    ageColumn,
    ...containerColumns,
    wide('Selector'),
  ],
  row: (deployment, nowMs) => [
    nameOf(deployment),
    `${deployment.status?.readyReplicas ?? 0}/${deployment.spec?.replicas ?? 0}`,
    deployment.status?.updatedReplicas ?? 0,
    deployment.status?.availableReplicas ?? 0,
    age(deployment, nowMs),
    ...containerCells(deployment.spec?.template?.spec?.containers),
    selectorText(deployment),
  ],
  default: defaultDeployment,
  prepareCreate: (deployment) => ({ ...deployment, status: {} }),
  prepareUpdate: (deployment, old) => ({ ...deployment, status: old.status ?? {} }),
  validate: validateDeployment,
  warnings: (deployment, old) => (old === undefined ? warnAboutPodNames(nameOf(deployment)) : []),
  generation: 'spec and annotations',
  status: { validate: validateDeploymentStatus },
  scale: { specReplicas: '.spec.replicas', statusReplicas: '.status.replicas', selector: '.spec.selector' },
}

function selectorText({ spec }: Deployment): string {
  const requirements = requirementsOf(spec?.selector)
  return requirements.kind === 'ok' ? formatRequirements(requirements.value) : '<invalid>'
}
