// What has to happen to a volume (syncVolume of pkg/controller/volume/persistentvolume/pv_controller.go).

import { persistentVolumeClaims, persistentVolumes } from '#api/core.ts'
import { type Act, eventAbout } from '#client/control/act.ts'
import { planUnbind, setVolumePhase } from '#controllers/volume-binder/bind.ts'
import { migratedTo, provisionedBy } from '#api/volume/marks.ts'
import { type Claim, modeOf, type Volume } from '#controllers/volume-binder/match.ts'

/** `claim`: what the volume's reference names, as the API server has it now; undefined: there is none of that UID. */
export function planVolume(volume: Volume, claim: Claim | undefined, now: string): readonly Act[] {
  const { claimRef } = volume.spec
  // A reference without a UID is a reservation.
  if (!claimRef?.uid) return setVolumePhase(volume, 'Available', now)
  if (claim === undefined || claim.metadata.uid !== claimRef.uid) return planRelease(volume, now)
  const { volumeName } = claim.spec
  if (volumeName === volume.metadata.name) return setVolumePhase(volume, 'Bound', now)
  if (!volumeName) return modeOf(volume) === modeOf(claim) ? [] : mismatch(volume, claim)
  // The claim has found another volume meanwhile.
  const isMade = provisionedBy in (volume.metadata.annotations ?? {})
  return isMade && volume.spec.persistentVolumeReclaimPolicy === 'Delete'
    ? planRelease(volume, now)
    : planUnbind(volume, now)
}

function mismatch(volume: Volume, claim: Claim): readonly Act[] {
  const [volumeName, claimName] = [volume.metadata.name, claim.metadata.name].map((name) => JSON.stringify(name))
  return [
    eventAbout(
      persistentVolumes,
      volume,
      'Warning',
      'VolumeMismatch',
      `Cannot bind PersistentVolume to requested PersistentVolumeClaim ${claimName} due to incompatible volumeMode.`,
    ),
    eventAbout(
      persistentVolumeClaims,
      claim,
      'Warning',
      'VolumeMismatch',
      `Cannot bind PersistentVolume ${volumeName} to requested PersistentVolumeClaim due to incompatible volumeMode.`,
    ),
  ]
}

/** Its claim is gone: what the reclaim policy says. What a provisioner has made it also takes away, once it is Released. */
function planRelease(volume: Volume, now: string): readonly Act[] {
  const { phase } = volume.status ?? {}
  const isOver = phase === 'Released' || phase === 'Failed'
  const released = isOver ? [] : setVolumePhase(volume, 'Released', now)
  const { name, annotations = {} } = volume.metadata
  if (annotations[migratedTo]) return released
  switch (volume.spec.persistentVolumeReclaimPolicy) {
    case 'Retain':
      return released
    case 'Delete': {
      const isOthers = Boolean(annotations[provisionedBy]) || volume.spec.csi !== undefined
      const why = `error getting deleter volume plugin for volume ${JSON.stringify(name)}: no deletable volume plugin matched`
      return isOthers ? released : fail(volume, 'VolumeFailedDelete', why, now)
    }
    case 'Recycle':
      return fail(volume, 'VolumeFailedRecycle', 'No recycler plugin found for the volume!', now)
    default:
      return fail(volume, 'VolumeUnknownReclaimPolicy', 'Volume has unrecognized PersistentVolumeReclaimPolicy', now)
  }
}

function fail(volume: Volume, reason: string, message: string, now: string): readonly Act[] {
  if (volume.status?.phase === 'Failed') return []
  return [
    ...setVolumePhase(volume, 'Failed', now, message),
    eventAbout(persistentVolumes, volume, 'Warning', reason, message),
  ]
}
