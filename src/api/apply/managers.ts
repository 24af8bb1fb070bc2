// metadata.managedFields: who wrote which fields, by what kind of request, through which version and subresource, when.

import { decodeFields, encodeFields, type FieldSet, union } from '#api/apply/field-set.ts'
import type { Typed } from '#api/schema/schema.ts'

export type ManagedFieldsEntry = Typed<'meta', 'ManagedFieldsEntry'>

/** Who writes. An applier is one and the same whatever version it speaks. */
export type Manager = {
  readonly name: string
  readonly operation: 'Apply' | 'Update'
  readonly apiVersion: string
  readonly subresource: string
}

export type Managed = {
  readonly manager: Manager
  readonly fields: FieldSet
  /** undefined: not known */
  readonly time: string | undefined
}

/** By `keyOfManager`. */
export type Managers = ReadonlyMap<string, Managed>

/** The same text for what counts as one manager; sorted, these texts give upstream's order. */
export function keyOfManager({ name, operation, apiVersion, subresource }: Manager): string {
  return JSON.stringify({
    ...(name === '' ? {} : { manager: name }),
    operation,
    ...(operation === 'Apply' ? {} : { apiVersion }),
    ...(subresource === '' ? {} : { subresource }),
  })
}

const isOperation = (text: unknown): text is Manager['operation'] => text === 'Apply' || text === 'Update'

/** Undefined where an entry is not of the right form: then none of them counts. */
export function decodeManagers(entries: readonly ManagedFieldsEntry[] | undefined): Managers | undefined {
  const managers = new Map<string, Managed>()
  for (const entry of entries ?? []) {
    const { manager: name = '', operation, apiVersion = '', subresource = '', fieldsType, fieldsV1, time } = entry
    if (!isOperation(operation)) return undefined
    const fields = decodeFields(fieldsV1 ?? {})
    if (apiVersion === '' || fieldsType !== 'FieldsV1' || fields === undefined) return undefined
    const manager: Manager = { name, operation, apiVersion, subresource }
    managers.set(keyOfManager(manager), { manager, fields, time })
  }
  return managers
}

/** Appliers first, then by time, name, version and subresource. Undefined: there is none. */
export function encodeManagers(managers: Managers): readonly ManagedFieldsEntry[] | undefined {
  if (managers.size === 0) return undefined
  return [...managers.values()].sort(compareManaged).map(({ manager, fields, time }) => ({
    manager: manager.name,
    operation: manager.operation,
    apiVersion: manager.apiVersion,
    ...(time === undefined ? {} : { time }),
    fieldsType: 'FieldsV1',
    fieldsV1: encodeFields(fields),
    ...(manager.subresource === '' ? {} : { subresource: manager.subresource }),
  }))
}

function compareManaged(a: Managed, b: Managed): number {
  const left = sortKeys(a)
  const right = sortKeys(b)
  const at = left.findIndex((text, at) => text !== right[at])
  if (at < 0) return 0
  return left[at]! < right[at]! ? -1 : 1
}

const sortKeys = ({ manager, time = '' }: Managed) => [
  manager.operation,
  time,
  manager.name,
  manager.apiVersion,
  manager.subresource,
]

const mostUpdaters = 10

/** Of too many updaters, the oldest are put together under one name. */
export function capped(managers: Managers): Managers {
  const updaters = [...managers].filter(([, { manager }]) => manager.operation === 'Update')
  let left = updaters.length
  if (left <= mostUpdaters) return managers
  const result = new Map(managers)
  const oldest = updaters.sort(
    ([a, { time: before = '' }], [b, { time: after = '' }]) => compareText(before, after) || compareText(a, b),
  )
  const first = new Map<string, string>()
  for (const [key, { manager, fields, time }] of oldest) {
    if (left <= mostUpdaters) break
    const bucket: Manager = {
      name: 'ancient-changes',
      operation: 'Update',
      apiVersion: manager.apiVersion,
      subresource: '',
    }
    const bucketKey = keyOfManager(bucket)
    const before = first.get(manager.apiVersion)
    if (before === undefined) {
      first.set(manager.apiVersion, key)
      continue
    }
    const held = result.get(bucketKey) ?? result.get(before)!
    if (!result.has(bucketKey)) result.delete(before)
    result.set(bucketKey, { manager: bucket, fields: union(fields, held.fields), time })
    if (key !== bucketKey) result.delete(key)
    left--
  }
  return result
}

const compareText = (a: string, b: string) => (a < b ? -1 : Number(a > b))
