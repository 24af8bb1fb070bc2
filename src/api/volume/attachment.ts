// VolumeAttachments and CSIStorageCapacities: what they may say (Kubernetes' pkg/apis/storage).

import { checkForm } from '#api/check-field.ts'
import { type FieldError, forbidden, invalid, required } from '#api/field-error.ts'
import { checkLabelSelector } from '#api/labels.ts'
import { dns1123Subdomain } from '#api/names.ts'
import { checkQuantity } from '#api/pod/validate-resources.ts'
import type { CSIStorageCapacity, VolumeAttachment } from '#api/storage.ts'
import { checkDriverName } from '#api/volume/volume.ts'
import { equalJson } from '#lib/equal.ts'

export function validateVolumeAttachment(
  attachment: VolumeAttachment,
  old: VolumeAttachment | undefined,
): FieldError[] {
  const { spec } = attachment
  const errors = [
    ...checkDriverName(spec.attacher, 'spec.attacher'),
    ...checkSource(spec.source),
    ...checkForm('spec.nodeName', spec.nodeName, dns1123Subdomain),
  ]
  if (old !== undefined)
    return equalJson(spec, old.spec) ? errors : [...errors, invalid('spec', spec, 'field is immutable')]
  const { persistentVolumeName: volume } = spec.source
  if (volume !== undefined) errors.push(...checkForm('spec.source.persistentVolumeName', volume, dns1123Subdomain))
  return errors
}

const oneOf = 'must specify exactly one of inlineVolumeSpec and persistentVolumeName'

function checkSource({ persistentVolumeName, inlineVolumeSpec }: VolumeAttachment['spec']['source']): FieldError[] {
  if (persistentVolumeName !== undefined && inlineVolumeSpec !== undefined) return [forbidden('spec.source', oneOf)]
  if (inlineVolumeSpec !== undefined) return []
  if (persistentVolumeName === undefined) return [required('spec.source', oneOf)]
  return persistentVolumeName === ''
    ? [required('spec.source.persistentVolumeName', 'must specify non empty persistentVolumeName')]
    : []
}

export function validateStorageCapacity(
  capacity: CSIStorageCapacity,
  old: CSIStorageCapacity | undefined,
): FieldError[] {
  const errors = checkForm('storageClassName', capacity.storageClassName, dns1123Subdomain)
  if (capacity.capacity !== undefined) errors.push(...checkQuantity('', capacity.capacity, 'capacity'))
  errors.push(...checkLabelSelector(capacity.nodeTopology, 'nodeTopology'))
  if (old === undefined) return errors
  const fixed = ['nodeTopology', 'storageClassName'] as const
  return [
    ...errors,
    ...fixed
      .filter((field) => !equalJson(capacity[field], old[field]))
      .map((field) => invalid(field, capacity[field], 'field is immutable')),
  ]
}
