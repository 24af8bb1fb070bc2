// Finalizers that keep a claim while a pod uses it, and a volume while it is bound (pkg/controller/volume/pvcprotection,
// pvprotection).

import { persistentVolumeClaims, persistentVolumes } from '#api/core.ts'
import type { Resource } from '#api/resource.ts'
import { type Act, patchOf } from '#client/control/act.ts'
import { claimProtection, volumeProtection } from '#api/volume/marks.ts'
import type { Claim, Volume } from '#controllers/volume-binder/match.ts'

/** `isUsed`: a pod with a node, ended or not, names the claim. */
export const planClaimProtection = (claim: Claim, isUsed: boolean): readonly Act[] =>
  planProtection(persistentVolumeClaims, claim, claimProtection, isUsed)

export const planVolumeProtection = (volume: Volume): readonly Act[] =>
  planProtection(persistentVolumes, volume, volumeProtection, volume.status?.phase === 'Bound')

function planProtection(resource: Resource, object: Claim | Volume, name: string, isUsed: boolean): readonly Act[] {
  const { finalizers = [], deletionTimestamp } = object.metadata
  const isProtected = finalizers.includes(name)
  if (deletionTimestamp === undefined)
    return isProtected ? [] : [patchOf(resource, object, { metadata: { finalizers: [...finalizers, name] } })]
  if (!isProtected || isUsed) return []
  const others = finalizers.filter((one) => one !== name)
  return [patchOf(resource, object, { metadata: { finalizers: others.length > 0 ? others : null } })]
}
