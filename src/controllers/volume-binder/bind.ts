// The four writes that bind a volume and a claim, always in the same order: the volume's claimRef, its phase, the claim's
// volumeName, its phase. After a crash between any two of them the same plan goes on where it was, since each write is
// left out where it has been done.

import { persistentVolumeClaims, persistentVolumes } from '#api/core.ts'
import { type Act, patchOf } from '#client/control/act.ts'
import { bindCompleted, boundByController } from '#api/volume/marks.ts'
import { type Claim, isReservedFor, type Volume } from '#controllers/volume-binder/match.ts'
import { equalJson } from '#lib/equal.ts'

export function planBind(volume: Volume, claim: Claim, now: string): readonly Act[] {
  return [
    ...claimVolume(volume, claim),
    ...setVolumePhase(volume, 'Bound', now),
    ...nameVolume(claim, volume),
    ...setClaimStatus(claim, 'Bound', volume),
  ]
}

/** The volume's reference to the claim. Our mark says that it may be taken back, which what its owner reserved may not. */
export function claimVolume(volume: Volume, { metadata }: Claim): readonly Act[] {
  const old = volume.spec.claimRef
  const isOurs = !isReservedFor(volume, { metadata } as Claim)
  if (!isOurs && old?.uid === metadata.uid) return []
  const { name, namespace, uid, resourceVersion } = metadata
  const claimRef = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', name, namespace, uid, resourceVersion }
  const annotations = isOurs ? { [boundByController]: 'yes' } : undefined
  return [
    patchOf(persistentVolumes, volume, {
      ...(annotations && { metadata: { annotations } }),
      spec: { claimRef },
    }),
  ]
}

export function setVolumePhase(volume: Volume, phase: string, now: string, message = ''): readonly Act[] {
  const { phase: old, message: said = '' } = volume.status ?? {}
  if (old === phase && said === message) return []
  const status = {
    phase,
    message: message === '' ? null : message,
    reason: null,
    ...(old !== phase && { lastPhaseTransitionTime: now }),
  }
  return [patchOf(persistentVolumes, volume, { status }, 'status')]
}

function nameVolume(claim: Claim, volume: Volume): readonly Act[] {
  const { annotations = {} } = claim.metadata
  const isNamed = claim.spec.volumeName === volume.metadata.name
  if (isNamed && bindCompleted in annotations) return []
  const marks = { [bindCompleted]: 'yes', ...(!isNamed && { [boundByController]: 'yes' }) }
  return [
    patchOf(persistentVolumeClaims, claim, {
      metadata: { annotations: marks },
      ...(!isNamed && { spec: { volumeName: volume.metadata.name } }),
    }),
  ]
}

/** `volume`: what the claim is bound to; without one it has no size and no modes. */
export function setClaimStatus(claim: Claim, phase: string, volume?: Volume): readonly Act[] {
  const old = claim.status ?? {}
  const isNew = old.phase !== phase
  const wanted =
    volume === undefined
      ? { phase, accessModes: undefined, capacity: undefined }
      : {
          phase,
          accessModes: volume.spec.accessModes,
          // The size of a bound claim changes by expansion, and then not here.
          capacity: isNew ? volume.spec.capacity : old.capacity,
        }
  const isSame =
    !isNew && equalJson(old.accessModes ?? [], wanted.accessModes ?? []) && equalJson(old.capacity, wanted.capacity)
  if (isSame) return []
  const status = { phase, accessModes: wanted.accessModes ?? null, capacity: wanted.capacity ?? null }
  return [patchOf(persistentVolumeClaims, claim, { status }, 'status')]
}

/** A volume that we gave away is free again; one that its owner had reserved stays reserved by name. */
export function planUnbind(volume: Volume, now: string): readonly Act[] {
  const isOurs = boundByController in (volume.metadata.annotations ?? {})
  const patch = isOurs
    ? { metadata: { annotations: { [boundByController]: null } }, spec: { claimRef: null } }
    : { spec: { claimRef: { uid: null } } }
  return [patchOf(persistentVolumes, volume, patch), ...setVolumePhase(volume, 'Available', now)]
}
