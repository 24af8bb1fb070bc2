// The claims of a StatefulSet's pods: made with the pod, and owned by whatever shall take them along when it goes.

import { type StatefulSet, statefulSets } from '#api/apps.ts'
import { type PersistentVolumeClaim, type Pod, persistentVolumeClaims, pods } from '#api/core.ts'
import type { OwnerReference } from '#api/meta.ts'
import { controllerReference } from '#api/owner.ts'
import type { Stored } from '#api/stored.ts'
import { type Act, eventAbout, patchOf } from '#client/control/act.ts'
import { claimsOf, isInRange } from '#controllers/statefulset/identity.ts'
import { equalJson } from '#lib/equal.ts'

type Lookup = (name: string) => Stored<PersistentVolumeClaim> | undefined

/** Creates those that are missing. */
export function planClaims(set: Stored<StatefulSet>, ordinal: number, claimNamed: Lookup): readonly Act[] {
  return claimsOf(set, ordinal).flatMap(({ claim }) => {
    const { name = '' } = claim.metadata ?? {}
    if (claimNamed(name) !== undefined) return []
    const message = `create Claim ${name} Pod ${set.metadata.name}-${ordinal} in StatefulSet ${set.metadata.name} success`
    return [
      { kind: 'create', resource: persistentVolumeClaims, object: claim } satisfies Act,
      eventAbout(statefulSets, set, 'Normal', 'SuccessfulCreate', message),
    ]
  })
}

/** A claim is on its way out: a new pod waits until it is gone, for else it would lose its volume soon. */
export function hasGoingClaim(set: Stored<StatefulSet>, ordinal: number, claimNamed: Lookup): boolean {
  return claimsOf(set, ordinal).some(
    ({ claim }) => claimNamed(claim.metadata?.name ?? '')?.metadata.deletionTimestamp !== undefined,
  )
}

/**
 * Whom the claims of a pod belong to, by the retention policy: the set, where they shall go with it; the pod itself
 * once it is scaled away, where they shall go then; else nobody.
 */
export function planOwners(
  set: Stored<StatefulSet>,
  pod: Stored<Pod>,
  ordinal: number,
  claimNamed: Lookup,
): readonly Act[] {
  const { whenDeleted = 'Retain', whenScaled = 'Retain' } = set.spec.persistentVolumeClaimRetentionPolicy ?? {}
  const isScaledAway = !isInRange(set, ordinal)
  const wanted: OwnerReference[] = []
  if (whenScaled === 'Delete' && isScaledAway) wanted.push(controllerReference(pods, pod))
  else if (whenDeleted === 'Delete') wanted.push(controllerReference(statefulSets, set))
  const isOurs = ({ kind, name }: OwnerReference) =>
    (kind === 'StatefulSet' && name === set.metadata.name) || (kind === 'Pod' && name === pod.metadata.name)
  return claimsOf(set, ordinal).flatMap(({ claim }) => {
    const found = claimNamed(claim.metadata?.name ?? '')
    if (found === undefined) return []
    const before = found.metadata.ownerReferences ?? []
    const others = before.filter((owner) => !isOurs(owner))
    // Someone else's claim, or one of a set or pod of that name that is gone: not ours to touch.
    const isForeign =
      others.some(({ controller }) => controller) ||
      before.some((owner) => isOurs(owner) && !isCurrent(owner, set, pod))
    const after = [...others, ...wanted]
    if (isForeign || equalJson(before, after)) return []
    return [patchOf(persistentVolumeClaims, found, { metadata: { ownerReferences: after } })]
  })
}

const isCurrent = ({ uid }: OwnerReference, set: Stored, pod: Stored): boolean =>
  uid === set.metadata.uid || uid === pod.metadata.uid
