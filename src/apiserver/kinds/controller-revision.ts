// ControllerRevisions: the templates that StatefulSets and DaemonSets had.

import type { Kind } from '#apiserver/kind.ts'
import { age, ageColumn, nameColumn, nameOf, text } from '#apiserver/kinds/cells.ts'
import { type ControllerRevision, controllerRevisions } from '#api/apps.ts'
import { controllerOf } from '#api/owner.ts'
import { validateControllerRevision } from '#api/workload/daemon-set.ts'

export const controllerRevisionKind: Kind<ControllerRevision> = {
  resource: controllerRevisions,
  type: 'apps.ControllerRevision',
  singular: 'controllerrevision',
  columns: [nameColumn, text('Controller'), text('Revision'), ageColumn],
  row: (revision, nowMs) => [
    nameOf(revision),
    controllerText(revision),
    `${revision.revision ?? 0}`,
    age(revision, nowMs),
  ],
  validate: validateControllerRevision,
}

/** `statefulset.apps/web` */
function controllerText(revision: ControllerRevision): string {
  const owner = controllerOf(revision)
  if (owner === undefined) return '<none>'
  const [group] = owner.apiVersion.includes('/') ? owner.apiVersion.split('/') : ['']
  return `${owner.kind.toLowerCase()}${group ? `.${group}` : ''}/${owner.name}`
}
