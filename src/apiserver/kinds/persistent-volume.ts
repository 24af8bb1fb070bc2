// PersistentVolumes and the claims to them.

import type { AdmitContext, Admitted, Kind } from '#apiserver/kind.ts'
import { age, ageColumn, nameColumn, nameOf, text, wide } from '#apiserver/kinds/cells.ts'
import { isDefaultClass, newestOf } from '#api/default-class.ts'
import {
  type PersistentVolume,
  type PersistentVolumeClaim,
  persistentVolumeClaims,
  persistentVolumes,
} from '#api/core.ts'
import type { ApiObject } from '#api/meta.ts'
import { compareQuantity, parseQuantity } from '#api/quantity.ts'
import { forbidden } from '#api/status.ts'
import { storageClasses } from '#api/storage.ts'
import { formatTime } from '#api/time.ts'
import { accessModesText } from '#api/volume/access-mode.ts'
import { defaultClaim, validateClaim } from '#api/volume/claim.ts'
import { defaultVolume, validateVolume } from '#api/volume/volume.ts'

const oldClass = 'volume.beta.kubernetes.io/storage-class'

export const persistentVolumeKind: Kind<PersistentVolume> = {
  resource: persistentVolumes,
  type: 'core.PersistentVolume',
  singular: 'persistentvolume',
  shortNames: ['pv'],
  columns: [
    nameColumn,
    text('Capacity'),
    text('Access Modes'),
    text('Reclaim Policy'),
    text('Status'),
    text('Claim'),
    text('StorageClass'),
    text('VolumeAttributesClass'),
    text('Reason'),
    ageColumn,
    wide('VolumeMode'),
  ],
  row: (volume, nowMs) => {
    const { spec, status, metadata } = volume
    const claim = spec?.claimRef
    return [
      nameOf(volume),
      spec?.capacity?.['storage'] ?? '0',
      accessModesText(spec?.accessModes),
      spec?.persistentVolumeReclaimPolicy ?? '',
      metadata?.deletionTimestamp === undefined ? (status?.phase ?? '') : 'Terminating',
      claim ? `${claim.namespace ?? ''}/${claim.name ?? ''}` : '',
      metadata?.annotations?.[oldClass] ?? spec?.storageClassName ?? '',
      spec?.volumeAttributesClassName ?? '<unset>',
      status?.reason ?? '',
      age(volume, nowMs),
      spec?.volumeMode ?? '<unset>',
    ]
  },
  default: defaultVolume,
  prepareCreate: (volume, { nowMs }) => ({
    ...withFinalizer(volume, 'kubernetes.io/pv-protection'),
    status: { phase: 'Pending', lastPhaseTransitionTime: formatTime(nowMs) },
  }),
  prepareUpdate: (volume, old) => ({ ...volume, status: old.status ?? {} }),
  validate: validateVolume,
  status: { prepare: (volume, old, { nowMs }) => withPhaseTime(volume, old, nowMs) },
  answersDeleted: true,
  fields: (volume) => ({ name: nameOf(volume) }),
}

export const persistentVolumeClaimKind: Kind<PersistentVolumeClaim> = {
  resource: persistentVolumeClaims,
  type: 'core.PersistentVolumeClaim',
  singular: 'persistentvolumeclaim',
  shortNames: ['pvc'],
  columns: [
    nameColumn,
    text('Status'),
    text('Volume'),
    text('Capacity'),
    text('Access Modes'),
    text('StorageClass'),
    text('VolumeAttributesClass'),
    ageColumn,
    wide('VolumeMode'),
  ],
  row: (claim, nowMs) => {
    const { spec, status, metadata } = claim
    const isBound = (spec?.volumeName ?? '') !== ''
    return [
      nameOf(claim),
      metadata?.deletionTimestamp === undefined ? (status?.phase ?? '') : 'Terminating',
      spec?.volumeName ?? '',
      isBound ? (status?.capacity?.['storage'] ?? '0') : '',
      isBound ? accessModesText(status?.accessModes) : '',
      metadata?.annotations?.[oldClass] ?? spec?.storageClassName ?? '',
      spec?.volumeAttributesClassName ?? '<unset>',
      age(claim, nowMs),
      spec?.volumeMode ?? '<unset>',
    ]
  },
  default: defaultClaim,
  prepareCreate: (claim) => ({
    ...withFinalizer(claim, 'kubernetes.io/pvc-protection'),
    status: { phase: 'Pending' },
  }),
  admit: {
    create: async (claim, context) => ({ kind: 'admitted', object: await giveDefaultClass(claim, context) }),
    update: async (claim, old, context) => admitResize(claim, old, context),
  },
  prepareUpdate: (claim, old) => ({ ...claim, status: old.status ?? {} }),
  validate: validateClaim,
  status: true,
  answersDeleted: true,
  fields: (claim) => ({ name: nameOf(claim) }),
}

/** Neither goes while it is in use: a controller takes the finalizer away. */
function withFinalizer<T extends ApiObject>(object: T, name: string): T {
  const { finalizers = [] } = object.metadata ?? {}
  if (finalizers.includes(name)) return object
  return { ...object, metadata: { ...object.metadata, finalizers: [...finalizers, name] } }
}

/** Says when the phase changed, unless the writer does. */
function withPhaseTime(volume: PersistentVolume, old: PersistentVolume, nowMs: number): PersistentVolume {
  const { phase, lastPhaseTransitionTime: time } = volume.status ?? {}
  if (phase === old.status?.phase || (time !== undefined && time !== old.status?.lastPhaseTransitionTime)) return volume
  return { ...volume, status: { ...volume.status, lastPhaseTransitionTime: formatTime(nowMs) } }
}

/** A claim that names no class gets the one that is marked as the default, the newest where there are several. */
async function giveDefaultClass(claim: PersistentVolumeClaim, context: AdmitContext): Promise<PersistentVolumeClaim> {
  const { spec, metadata } = claim
  if (spec?.storageClassName !== undefined || metadata?.annotations?.[oldClass] !== undefined) return claim
  const classes = (await context.objects.list(storageClasses)).filter(isDefaultClass)
  const newest = newestOf(classes)
  return newest === undefined ? claim : { ...claim, spec: { ...spec, storageClassName: nameOf(newest) } }
}

/** As the admission plugin PersistentVolumeClaimResize: a claim grows only where its class says that this can be. */
async function admitResize(
  claim: PersistentVolumeClaim,
  old: PersistentVolumeClaim,
  context: AdmitContext,
): Promise<Admitted<PersistentVolumeClaim>> {
  const [wanted, had] = [claim, old].map(({ spec }) => spec?.resources?.requests?.['storage'])
  if (!isMore(wanted, had)) return { kind: 'admitted', object: claim }
  const refuse = (why: string): Admitted<PersistentVolumeClaim> => ({
    kind: 'status',
    status: forbidden(persistentVolumeClaims, nameOf(claim), why),
  })
  if (old.status?.phase !== 'Bound') return refuse('Only bound persistent volume claims can be expanded')
  const name = claim.metadata?.annotations?.[oldClass] ?? claim.spec?.storageClassName ?? ''
  const storageClass = name === '' ? undefined : await context.objects.get(storageClasses, '', name)
  if (storageClass?.allowVolumeExpansion === true) return { kind: 'admitted', object: claim }
  return refuse(
    'only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize',
  )
}

function isMore(wanted: string | undefined, had: string | undefined): boolean {
  const [now, before] = [wanted, had].map((text) => parseQuantity(text ?? '0'))
  return now?.kind === 'ok' && before?.kind === 'ok' && compareQuantity(now.value, before.value) > 0
}
