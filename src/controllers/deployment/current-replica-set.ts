// The ReplicaSet of a Deployment's present template: found and kept in step, or made.

import { type Deployment, type ReplicaSet, deployments } from '#api/apps.ts'
import { controllerReference } from '#api/owner.ts'
import type { Draft } from '#controllers/deployment/draft.ts'
import { fenceposts, isRolling, wantedReplicas } from '#controllers/deployment/fenceposts.ts'
import { hashLabel, replicasOf, total } from '#controllers/deployment/replica-sets.ts'
import {
  currentAnnotations,
  handedDown,
  highestRevision,
  revisionAnnotation,
  sizeAnnotations,
} from '#controllers/deployment/revision.ts'
import { templateHash } from '#controllers/template-hash.ts'
import { equalJson } from '#lib/equal.ts'

/** Names are cut so that the hash still fits. */
const maxName = 253

/** Gives the new ReplicaSet the Deployment's annotations, minReadySeconds and the next revision, where it lacks them. */
export function keepInStep(draft: Draft): void {
  const { deployment, current } = draft
  if (current === undefined) return
  const annotations = currentAnnotations(deployment, current, draft.old)
  const { minReadySeconds = 0 } = deployment.spec
  const sameReady = (current.spec.minReadySeconds ?? 0) === minReadySeconds
  if (sameReady && equalJson(annotations, current.metadata.annotations)) return
  draft.amend(
    current,
    { metadata: { annotations }, ...(sameReady ? {} : { spec: { minReadySeconds } }) },
    { ...current, metadata: { ...current.metadata, annotations }, spec: { ...current.spec, minReadySeconds } },
  )
}

/** Makes the ReplicaSet of the Deployment's template, with as many replicas as the strategy lets it begin with. */
export function createCurrent(draft: Draft): void {
  const { deployment } = draft
  const { template, selector, minReadySeconds } = deployment.spec
  const hash = templateHash(template, deployment.status?.collisionCount)
  const labels = { ...template.metadata?.labels, [hashLabel]: hash }
  const { namespace } = deployment.metadata
  draft.create({
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${deployment.metadata.name.slice(0, maxName - hash.length - 1)}-${hash}`,
      namespace,
      uid: '',
      resourceVersion: '',
      creationTimestamp: '',
      labels,
      annotations: {
        ...handedDown(deployment.metadata.annotations),
        ...sizeAnnotations(deployment),
        [revisionAnnotation]: String(highestRevision(draft.old) + 1),
      },
      ownerReferences: [controllerReference(deployments, deployment)],
    },
    spec: {
      replicas: currentSize(deployment, draft.old, 0),
      ...(minReadySeconds === undefined ? {} : { minReadySeconds }),
      selector: { ...selector, matchLabels: { ...selector.matchLabels, [hashLabel]: hash } },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  })
}

/** The size that the new ReplicaSet, now of size `size`, may have: up to the wanted one, within the surge. */
export function currentSize(deployment: Deployment, old: readonly ReplicaSet[], size: number): number {
  const wanted = wantedReplicas(deployment)
  if (!isRolling(deployment)) return wanted
  const room = wanted + fenceposts(deployment).surge - total(old, replicasOf) - size
  return room <= 0 ? size : size + Math.min(room, wanted - size)
}
