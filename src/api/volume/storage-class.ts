// StorageClasses, CSIDrivers and CSINodes: defaults, and what they may say (Kubernetes' pkg/apis/storage).

import { checkForm, checkNotNegative, checkOptionalWord, checkWord } from '#api/check-field.ts'
import { duplicate, type FieldError, forbidden, invalid, required, tooLong } from '#api/field-error.ts'
import { byteLength } from '#api/go-text.ts'
import { checkLabelKey } from '#api/labels.ts'
import { qualifiedName } from '#api/names.ts'
import type { CSIDriver, CSINode, StorageClass, VolumeAttributesClass } from '#api/storage.ts'
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
  const errors = checkProvisioner('provisioner', provisioner)
  errors.push(...checkParameters(storageClass.parameters ?? {}))
  errors.push(...checkOptionalWord('reclaimPolicy', reclaimPolicy, ['Delete', 'Retain']))
  errors.push(...checkWord('volumeBindingMode', volumeBindingMode, ['Immediate', 'WaitForFirstConsumer']))
  errors.push(...checkTopologies(storageClass.allowedTopologies ?? []))
  if (old === undefined) return errors
  const fixed = ['parameters', 'provisioner', 'reclaimPolicy', 'volumeBindingMode'] as const
  const changed = fixed.filter((field) => !equalJson(storageClass[field], old[field]))
  return [...errors, ...changed.map((field) => invalid(field, storageClass[field], 'field is immutable'))]
}

const checkProvisioner = (path: string, name: string): FieldError[] =>
  name ? checkForm(path, name.toLowerCase(), qualifiedName) : [required(path)]

const mostParameters = 512
const mostParameterBytes = 256 * 1024

function checkParameters(parameters: Readonly<Record<string, string>>): FieldError[] {
  const all = Object.entries(parameters)
  if (all.length > mostParameters) return [tooLong('parameters', mostParameters)]
  const errors = '' in parameters ? [invalid('parameters', '', 'field can not be empty.')] : []
  const bytes = all.reduce((sum, [key, value]) => sum + byteLength(key) + byteLength(value), 0)
  return bytes > mostParameterBytes ? [...errors, tooLong('parameters', mostParameterBytes)] : errors
}

export function validateVolumeAttributesClass(
  { driverName, parameters = {} }: VolumeAttributesClass,
  old: VolumeAttributesClass | undefined,
): FieldError[] {
  const errors: FieldError[] = []
  if (old !== undefined && driverName !== old.driverName)
    errors.push(forbidden('driverName', 'updates to driverName are forbidden.'))
  if (old !== undefined && !equalJson(parameters, old.parameters ?? {}))
    errors.push(forbidden('parameters', 'updates to parameters are forbidden.'))
  errors.push(...checkProvisioner('driverName', driverName), ...checkParameters(parameters))
  if (Object.keys(parameters).length === 0)
    errors.push(required('parameters', 'must contain at least one key/value pair'))
  return errors
}

type Topologies = NonNullable<StorageClass['allowedTopologies']>

function checkTopologies(topologies: Topologies): FieldError[] {
  return topologies.flatMap(({ matchLabelExpressions = [] }, at) => {
    const path = `allowedTopologies[${at}].matchLabelExpressions`
    const keys = matchLabelExpressions.map(({ key }) => key)
    return matchLabelExpressions.flatMap(({ key, values }, index) => {
      const errors = values.flatMap((value, position) =>
        values.indexOf(value) < position ? [duplicate(`${path}[${index}].values[${position}]`, value)] : [],
      )
      if (values.length === 0) errors.push(required(`${path}[${index}].values`))
      errors.push(...checkLabelKey(`${path}[${index}].key`, key))
      return keys.indexOf(key) < index ? [...errors, duplicate(`${path}[${index}].key`, key)] : errors
    })
  })
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

// Upstream's text says attachedRequired.
const shown = { attachRequired: 'attachedRequired', volumeLifecycleModes: 'volumeLifecycleModes' } as const

export function validateCsiDriver(driver: CSIDriver, old: CSIDriver | undefined): FieldError[] {
  const spec = driver.spec ?? {}
  const errors = checkDriverName(driver.metadata?.name ?? '', 'name')
  errors.push(
    ...checkOptionalWord('spec.fsGroupPolicy', spec.fsGroupPolicy, ['File', 'None', 'ReadWriteOnceWithFSType']),
  )
  for (const mode of spec.volumeLifecycleModes ?? [])
    errors.push(...checkOptionalWord('spec.volumeLifecycleModes', mode, ['Ephemeral', 'Persistent']))
  for (const field of ['attachRequired', 'volumeLifecycleModes'] as const)
    if (old !== undefined && !equalJson(spec[field], old.spec?.[field]))
      errors.push(invalid(`spec.${shown[field]}`, spec[field], 'field is immutable'))
  const audiences = (spec.tokenRequests ?? []).map(({ audience }) => audience)
  for (const [at, audience] of audiences.entries())
    if (audiences.indexOf(audience) < at) errors.push(duplicate(`spec.tokenRequests[${at}].audience`, audience))
  return errors
}

export function validateCsiNode({ spec }: CSINode, old: CSINode | undefined): FieldError[] {
  const seen = new Set<string>()
  const drivers = spec?.drivers ?? []
  return drivers.flatMap((driver, at) => {
    const path = `spec.drivers[${at}]`
    const errors = checkDriverName(driver.name, `${path}.name`)
    if (!driver.nodeID) errors.push(required(`${path}.nodeID`))
    errors.push(...checkNotNegative(`${path}.allocatable.count`, driver.allocatable?.count))
    const keys = driver.topologyKeys ?? []
    for (const [index, key] of keys.entries()) {
      if (keys.indexOf(key) < index) errors.push(duplicate(path, key))
      if (!key) errors.push(required(path))
      errors.push(...checkForm(path, key, qualifiedName))
    }
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
