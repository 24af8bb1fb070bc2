// Going back to an earlier revision on request of the old annotation; today's kubectl does it by itself, by a patch.

import { type Deployment, deployments } from '#api/apps.ts'
import type { Stored } from '#api/stored.ts'
import { type Act, eventAbout, patchOf } from '#client/control/act.ts'
import { type Rollout, all, sameTemplate, withoutHash } from '#controllers/deployment/replica-sets.ts'
import { handedBack, previousRevision, revisionOf, rollbackAnnotation } from '#controllers/deployment/revision.ts'

/** The revision that is asked for: 0 for the one before; undefined: none is. */
export function wantedRollback(deployment: Deployment): number | undefined {
  const text = deployment.metadata?.annotations?.[rollbackAnnotation]
  return text !== undefined && /^-?\d+$/.test(text) ? Number(text) : undefined
}

/** Takes the template of revision `wanted` and clears the request; an event says how it went. */
export function planRollback(deployment: Stored<Deployment>, rollout: Rollout, wanted: number): readonly Act[] {
  const clear = { [rollbackAnnotation]: null }
  const giveUp = (reason: string, message: string) => [
    eventAbout(deployments, deployment, 'Warning', reason, message),
    patchOf(deployments, deployment, { metadata: { annotations: clear } }),
  ]
  const sets = all(rollout)
  const revision = wanted === 0 ? previousRevision(sets) : wanted
  if (revision === 0) return giveUp('DeploymentRollbackRevisionNotFound', 'Unable to find last revision.')
  const set = sets.find((set) => revisionOf(set) === revision)
  if (set === undefined)
    return giveUp('DeploymentRollbackRevisionNotFound', 'Unable to find the revision to rollback to.')
  const { name, annotations = {} } = deployment.metadata
  if (sameTemplate(deployment.spec.template, set.spec.template)) {
    const message = `The rollback revision contains the same template as current deployment "${name}"`
    return giveUp('DeploymentRollbackTemplateUnchanged', message)
  }
  return [
    {
      kind: 'update',
      resource: deployments,
      object: {
        ...deployment,
        metadata: { ...deployment.metadata, annotations: handedBack(annotations, set.metadata.annotations) },
        spec: { ...deployment.spec, template: withoutHash(set.spec.template) },
      } as Deployment,
    },
    eventAbout(
      deployments,
      deployment,
      'Normal',
      'DeploymentRollback',
      `Rolled back deployment "${name}" to revision ${revision}`,
    ),
  ]
}
