// StorageClasses, CSIDrivers and CSINodes: defaults, and what they may say (Kubernetes' pkg/apis/storage).

import { checkForm, checkOptionalWord, checkWord } from '#api/check-field.ts'
import { duplicate, type FieldError, invalid, required } from '#api/field-error.ts'
import { qualifiedName } from '#api/names.ts'
import type { CSIDriver, CSINode, StorageClass } from '#api/storage.ts'
import { checkDriverName } from '#api/volume/volume.ts'
import { equalJson } from '#lib/equal.ts'

export function defaultStorageClass(storageClass: StorageClass): StorageClass {
  return {
    ...storageClass,
    reclaimPolicy: storageClass.reclaimPolicy ?? 'Delete',
    volumeBindingMode: storageClass.volumeBindingMode ?? 'Immediate',
  }
}

export function validateStorageClass(storageClass: StorageClass, old: StorageClass | undefined): FieldError[] {
  const { provisioner, reclaimPolicy, volumeBindingMode } = storageClass
  const errors = provisioner
    ? checkForm('provisioner', provisioner.toLowerCase(), qualifiedName)
    : [required('provisioner')]
  errors.push(...checkOptionalWord('reclaimPolicy', reclaimPolicy, ['Delete', 'Retain']))
  errors.push(...checkWord('volumeBindingMode', volumeBindingMode, ['Immediate', 'WaitForFirstConsumer']))
  if (old === undefined) return errors
  const fixed = ['parameters', 'provisioner', 'reclaimPolicy', 'volumeBindingMode'] as const
  const changed = fixed.filter((field) => !equalJson(storageClass[field], old[field]))
  return [...errors, ...changed.map((field) => invalid(field, storageClass[field], 'field is immutable'))]
}

export function defaultCsiDriver(driver: CSIDriver): CSIDriver {
  const spec = driver.spec ?? {}
  return {
    ...driver,
    spec: {
      ...spec,
      attachRequired: spec.attachRequired ?? true,
      podInfoOnMount: spec.podInfoOnMount ?? false,
      storageCapacity: spec.storageCapacity ?? false,
      fsGroupPolicy: spec.fsGroupPolicy ?? 'ReadWriteOnceWithFSType',
      requiresRepublish: spec.requiresRepublish ?? false,
      seLinuxMount: spec.seLinuxMount ?? false,
      volumeLifecycleModes: spec.volumeLifecycleModes?.length ? spec.volumeLifecycleModes : ['Persistent'],
    },
  }
}

export function validateCsiDriver(driver: CSIDriver, old: CSIDriver | undefined): FieldError[] {
  const spec = driver.spec ?? {}
  const errors = checkDriverName(driver.metadata?.name ?? '', 'name')
  errors.push(
    ...checkOptionalWord('spec.fsGroupPolicy', spec.fsGroupPolicy, ['File', 'None', 'ReadWriteOnceWithFSType']),
  )
  for (const mode of spec.volumeLifecycleModes ?? [])
    errors.push(...checkOptionalWord('spec.volumeLifecycleModes', mode, ['Ephemeral', 'Persistent']))
  for (const field of ['attachRequired', 'fsGroupPolicy', 'volumeLifecycleModes'] as const)
    if (old !== undefined && field !== 'fsGroupPolicy' && !equalJson(spec[field], old.spec?.[field]))
      errors.push(invalid(`spec.${field}`, spec[field], 'field is immutable'))
  return errors
}

export function validateCsiNode({ spec }: CSINode, old: CSINode | undefined): FieldError[] {
  const seen = new Set<string>()
  const drivers = spec?.drivers ?? []
  return drivers.flatMap((driver, at) => {
    const path = `spec.drivers[${at}]`
    const errors = checkDriverName(driver.name, `${path}.name`)
    if (!driver.nodeID) errors.push(required(`${path}.nodeID`))
    if (seen.has(driver.name)) errors.push(duplicate(`${path}.name`, driver.name))
    seen.add(driver.name)
    const before = old?.spec?.drivers?.find(({ name }) => name === driver.name)
    if (
      before !== undefined &&
      (before.nodeID !== driver.nodeID || !equalJson(before.topologyKeys, driver.topologyKeys))
    )
      errors.push(invalid('spec.drivers', driver, 'field is immutable'))
    return errors
  })
}
