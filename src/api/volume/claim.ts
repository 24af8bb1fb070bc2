// PersistentVolumeClaims: defaults, and what they may say (Kubernetes' pkg/apis/core/validation).

import { checkForm, checkOptionalWord } from '#api/check-field.ts'
import type { PersistentVolumeClaim, PersistentVolumeClaimSpec } from '#api/core.ts'
import { type FieldError, forbidden, invalid, required } from '#api/field-error.ts'
import { checkLabelSelector } from '#api/labels.ts'
import { dns1123Subdomain } from '#api/names.ts'
import { compareQuantity, formatQuantity, parseQuantity, type Quantity } from '#api/quantity.ts'
import { checkAccessModes } from '#api/volume/access-mode.ts'
import { equalJson } from '#lib/equal.ts'

const noSpec: PersistentVolumeClaimSpec = {}

export function defaultClaim(claim: PersistentVolumeClaim): PersistentVolumeClaim {
  const spec = claim.spec ?? noSpec
  return {
    ...claim,
    spec: { ...spec, volumeMode: spec.volumeMode ?? 'Filesystem' },
    status: { ...claim.status, phase: claim.status?.phase || 'Pending' },
  }
}

export function validateClaim(claim: PersistentVolumeClaim, old: PersistentVolumeClaim | undefined): FieldError[] {
  const spec = claim.spec ?? noSpec
  const errors = checkClaimSpec(spec, 'spec')
  return old ? [...errors, ...checkChange(claim, old)] : errors
}

export function checkClaimSpec(spec: PersistentVolumeClaimSpec, path: string): FieldError[] {
  const errors: FieldError[] = []
  const modes = spec.accessModes ?? []
  if (modes.length === 0) errors.push(required(`${path}.accessModes`, 'at least 1 access mode is required'))
  errors.push(
    ...checkLabelSelector(spec.selector, `${path}.selector`),
    ...checkAccessModes(modes, `${path}.accessModes`),
  )
  errors.push(...checkSize(spec.resources?.requests?.['storage'], `${path}.resources[storage]`))
  if (spec.storageClassName)
    errors.push(...checkForm(`${path}.storageClassName`, spec.storageClassName, dns1123Subdomain))
  errors.push(...checkOptionalWord(`${path}.volumeMode`, spec.volumeMode, ['Block', 'Filesystem']))
  const { dataSource } = spec
  if (dataSource !== undefined) {
    if (!dataSource.name) errors.push(required(`${path}.dataSource.name`))
    if (!dataSource.kind) errors.push(required(`${path}.dataSource.kind`))
    if (!dataSource.apiGroup && dataSource.kind !== 'PersistentVolumeClaim') {
      const detail = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
      errors.push(invalid(`${path}.dataSource`, dataSource.kind, detail))
    }
  }
  return errors
}

function checkSize(text: string | undefined, path: string): FieldError[] {
  if (text === undefined) return [required(path)]
  const size = read(text)
  return size !== undefined && compareQuantity(size, zero) > 0
    ? []
    : [invalid(path, size === undefined ? text : formatQuantity(size), 'must be greater than zero')]
}

/** A claim is as it was made, but for the volume it is bound to and the size of a bound one. */
function checkChange(claim: PersistentVolumeClaim, old: PersistentVolumeClaim): FieldError[] {
  const spec = claim.spec ?? noSpec
  const before = old.spec ?? noSpec
  const isBound = claim.status?.phase === 'Bound'
  const fixed = (of: PersistentVolumeClaimSpec): PersistentVolumeClaimSpec => ({
    ...of,
    ...(before.volumeName ? {} : { volumeName: '' }),
    // A class may be given to a claim that waits for the default one.
    ...(before.storageClassName === undefined && !before.volumeName ? { storageClassName: '' } : {}),
    ...(isBound ? { resources: {}, volumeAttributesClassName: '' } : {}),
  })
  const errors: FieldError[] = []
  if (!equalJson(fixed(spec), fixed(before))) {
    const rule =
      'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims'
    errors.push(forbidden('spec', rule))
  }
  const size = read(spec.resources?.requests?.['storage'])
  const sizeBefore = read(before.resources?.requests?.['storage'])
  const has = read(old.status?.capacity?.['storage']) ?? zero
  const shrinks = size !== undefined && sizeBefore !== undefined && compareQuantity(size, sizeBefore) < 0
  if (shrinks && compareQuantity(size, has) <= 0)
    errors.push(forbidden('spec.resources.requests.storage', 'field can not be less than status.capacity'))
  if (spec.volumeMode !== before.volumeMode) errors.push(invalid('volumeMode', spec.volumeMode, 'field is immutable'))
  return errors
}

function read(text: string | undefined): Quantity | undefined {
  const parsed = text === undefined ? undefined : parseQuantity(text)
  return parsed?.kind === 'ok' ? parsed.value : undefined
}
const zero = read('0')!
