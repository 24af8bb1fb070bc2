// PersistentVolumes: defaults, and what they may say (Kubernetes' pkg/apis/core/validation). Of the many kinds of
// volumes those are looked into that this project's nodes can mount.

import { checkForm, checkOptionalWord } from '#api/check-field.ts'
import type { PersistentVolume, PersistentVolumeSpec } from '#api/core.ts'
import { type FieldError, forbidden, invalid, notSupported, required, tooLong } from '#api/field-error.ts'
import { dns1123Subdomain } from '#api/names.ts'
import { checkNoBacksteps } from '#api/pod/validate-path.ts'
import { checkNodeSelector } from '#api/pod/validate-scheduling.ts'
import { compareQuantity, formatQuantity, parseQuantity } from '#api/quantity.ts'
import { checkAccessModes } from '#api/volume/access-mode.ts'
import { equalJson } from '#lib/equal.ts'

const noSpec: PersistentVolumeSpec = {}

export function defaultVolume(volume: PersistentVolume): PersistentVolume {
  const spec = volume.spec ?? noSpec
  const hostPath = spec.hostPath && { ...spec.hostPath, type: spec.hostPath.type ?? '' }
  return {
    ...volume,
    spec: {
      ...spec,
      persistentVolumeReclaimPolicy: spec.persistentVolumeReclaimPolicy || 'Retain',
      volumeMode: spec.volumeMode ?? 'Filesystem',
      ...(hostPath ? { hostPath } : {}),
    },
    status: { ...volume.status, phase: volume.status?.phase || 'Pending' },
  }
}

export function validateVolume(volume: PersistentVolume, old: PersistentVolume | undefined): FieldError[] {
  const spec = volume.spec ?? noSpec
  const modes = spec.accessModes ?? []
  const errors = [
    ...(modes.length === 0 ? [required('spec.accessModes')] : []),
    ...checkAccessModes(modes, 'spec.accessModes'),
    ...checkCapacity(spec.capacity ?? {}),
    ...checkOptionalWord('spec.persistentVolumeReclaimPolicy', spec.persistentVolumeReclaimPolicy, [
      'Delete',
      'Recycle',
      'Retain',
    ]),
    ...checkAffinity(spec),
    ...checkSource(spec),
    ...(spec.storageClassName ? checkForm('spec.storageClassName', spec.storageClassName, dns1123Subdomain) : []),
    ...checkOptionalWord('spec.volumeMode', spec.volumeMode, ['Block', 'Filesystem']),
  ]
  return old ? [...errors, ...checkChange(spec, old.spec ?? noSpec)] : errors
}

function checkCapacity(capacity: Readonly<Record<string, string>>): FieldError[] {
  const path = 'spec.capacity'
  const names = Object.keys(capacity)
  const errors: FieldError[] = names.length === 0 ? [required(path)] : []
  if (!('storage' in capacity) || names.length > 1) errors.push(notSupported(path, capacity, ['storage']))
  for (const [name, text] of Object.entries(capacity)) {
    const size = parseQuantity(text)
    if (size.kind === 'ok' && zero.kind === 'ok' && compareQuantity(size.value, zero.value) <= 0)
      errors.push(invalid(`${path}[${name}]`, formatQuantity(size.value), 'must be greater than zero'))
  }
  return errors
}
const zero = parseQuantity('0')

function checkAffinity({ nodeAffinity, local }: PersistentVolumeSpec): FieldError[] {
  const path = 'spec.nodeAffinity'
  if (nodeAffinity === undefined) return local ? [required(path, 'Local volume requires node affinity')] : []
  if (nodeAffinity.required === undefined)
    return [required(`${path}.required`, 'must specify required node constraints')]
  return checkNodeSelector(nodeAffinity.required, `${path}.required`)
}

/** Fields of the spec that are not kinds of volumes. */
const common = [
  'accessModes',
  'capacity',
  'claimRef',
  'mountOptions',
  'nodeAffinity',
  'persistentVolumeReclaimPolicy',
  'storageClassName',
  'volumeAttributesClassName',
  'volumeMode',
]

function sourceOf(spec: PersistentVolumeSpec): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(spec).filter(([field]) => !common.includes(field)))
}

function checkSource(spec: PersistentVolumeSpec): FieldError[] {
  const [first, ...others] = Object.keys(sourceOf(spec))
  if (first === undefined) return [required('spec', 'must specify a volume type')]
  const errors = others.map((other) => forbidden(`spec.${other}`, 'may not specify more than 1 volume type'))
  const { hostPath, local, nfs, csi } = spec
  if (hostPath)
    errors.push(
      ...(hostPath.path ? checkNoBacksteps('spec.hostPath.path', hostPath.path) : [required('spec.hostPath.path')]),
    )
  if (local)
    errors.push(...(local.path ? checkNoBacksteps('spec.local.path', local.path) : [required('spec.local.path')]))
  if (nfs) {
    if (!nfs.server) errors.push(required('spec.nfs.server'))
    if (!nfs.path) errors.push(required('spec.nfs.path'))
    else if (!nfs.path.startsWith('/')) errors.push(invalid('spec.nfs.path', nfs.path, 'must be an absolute path'))
  }
  if (csi) {
    errors.push(...checkDriverName(csi.driver, 'spec.csi.driver'))
    if (!csi.volumeHandle) errors.push(required('spec.csi.volumeHandle'))
  }
  return errors
}

export function checkDriverName(name: string, path: string): FieldError[] {
  if (!name) return [required(path)]
  return [
    ...(name.length > 63 ? [tooLong(path, 63)] : []),
    ...dns1123Subdomain(name.toLowerCase()).map((detail) => invalid(path, name, detail)),
  ]
}

function checkChange(spec: PersistentVolumeSpec, old: PersistentVolumeSpec): FieldError[] {
  const errors: FieldError[] = []
  if (!equalJson(sourceOf(spec), sourceOf(old))) {
    const detail = 'spec.persistentvolumesource is immutable after creation'
    errors.push(forbidden('spec.persistentvolumesource', detail))
  }
  if (old.nodeAffinity !== undefined && !equalJson(spec.nodeAffinity, old.nodeAffinity)) {
    const detail = 'field is immutable, except for updating from beta label to GA'
    errors.push(invalid('nodeAffinity', spec.nodeAffinity, detail))
  }
  if (spec.volumeMode !== old.volumeMode) errors.push(invalid('volumeMode', spec.volumeMode, 'field is immutable'))
  return errors
}
