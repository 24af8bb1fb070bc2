// The bookkeeping of writes that are not applies: create, update and the patches. Each write makes its manager the owner
// of what it changed, and no one else's any more (structured-merge-diff's Update, and apimachinery's managedfields).

import { compareObjects } from '#api/apply/compare.ts'
import { difference, differenceBelow, emptySet, type FieldSet, setOf, union } from '#api/apply/field-set.ts'
import { sameJson, type JsonObject } from '#api/apply/json-value.ts'
import {
  capped,
  decodeManagers,
  encodeManagers,
  keyOfManager,
  type Managed,
  type ManagedFieldsEntry,
  type Manager,
  type Managers,
} from '#api/apply/managers.ts'
import { fieldElement } from '#api/apply/path-element.ts'
import { shapeOf } from '#api/apply/shape.ts'
import { decodeValue } from '#api/decode.ts'
import type { ApiObject } from '#api/meta.ts'
import { formatTime } from '#api/time.ts'
import type { TypeRef } from '#api/type-ref.ts'

/** One write, as far as the bookkeeping has to know it. */
export type Write = {
  /** the type of the object: 'core.Service', or a custom resource's */
  readonly type: TypeRef
  /** through which version it goes: 'v1', 'apps/v1' */
  readonly apiVersion: string
  /** '' for the object itself */
  readonly subresource: string
  readonly manager: string
  /** fields that such a write cannot change, with all below them: [['status']] */
  readonly ignored: readonly (readonly string[])[]
  readonly nowMs: number
}

/**
 * The object with the managedFields that it has after the write. `live` is what is stored (undefined for a create),
 * `object` what is to be: after defaulting, before anything that the server itself sets.
 */
export function recordUpdate<T extends ApiObject>(write: Write, live: ApiObject | undefined, object: T): T {
  const managers = managersBefore(write, live, object)
  const to = withoutManagedFields(object)
  // What no one has followed so far is not followed from here on either.
  if (managers.size === 0 && live !== undefined) return withManagedFields(to, undefined)
  return withManagedFields(to, encodeManagers(updatedManagers(write, managers, live ?? emptyObject(write.type), to)))
}

const emptyObjects = new Map<string, ApiObject>()

/** An object of a type as it is before anything is set: with the parts that are always there. */
export function emptyObject(type: TypeRef): ApiObject {
  if (typeof type !== 'string') return {}
  const known = emptyObjects.get(type)
  if (known !== undefined) return known
  const empty = decodeValue<ApiObject>(type, {})
  if (empty.kind === 'error') throw new Error(`an empty ${type} does not decode: ${empty.message}`)
  emptyObjects.set(type, empty.object)
  return empty.object
}

/** The managers after a write that turned `live` into `to`. */
export function updatedManagers(write: Write, managers: Managers, live: ApiObject, to: ApiObject): Managers {
  const { owned, removed } = changesOf(write, withoutManagedFields(live), to)
  const result = new Map<string, Managed>()
  for (const [key, managed] of managers) {
    const fields = difference(difference(managed.fields, owned), removed)
    if (fields.size > 0) result.set(key, { ...managed, fields })
  }
  const mine = difference(owned, neverOwned)
  if (mine.size > 0) {
    const { apiVersion, subresource } = write
    const manager: Manager = { name: write.manager || 'unknown', operation: 'Update', apiVersion, subresource }
    const key = keyOfManager(manager)
    const fields = union(mine, result.get(key)?.fields ?? emptySet)
    result.set(key, { manager, fields, time: formatTime(write.nowMs) })
  }
  return capped(result)
}

/** What changed: `owned` is what the writer now owns and no one else, `removed` what no one owns any more. */
function changesOf({ type, ignored }: Write, live: ApiObject, to: ApiObject) {
  const { added, modified, removed } = compareObjects(live, to, shapeOf(type))
  const filter = (set: FieldSet) => differenceBelow(set, ignoredSet(ignored))
  return { owned: filter(union(modified, added)), removed: filter(removed) }
}

export function ignoredSet(ignored: readonly (readonly string[])[]): FieldSet {
  return ignored.length === 0 ? emptySet : setOf(...ignored.map((path) => path.map(fieldElement)))
}

/** Fields that belong to the server; a writer never owns them. */
export const neverOwned: FieldSet = setOf(
  ['f:apiVersion'],
  ['f:kind'],
  ['f:metadata'],
  ...[
    'name',
    'namespace',
    'creationTimestamp',
    'selfLink',
    'uid',
    'clusterName',
    'generation',
    'managedFields',
    'resourceVersion',
  ].map((name) => ['f:metadata', fieldElement(name)]),
)

/**
 * A client may send managedFields of its own (kubectl does, to take over from client-side apply) or clear them with
 * `[]` or `[{}]`; what is not of the right form is as if it were not there. Subresources cannot.
 */
function managersBefore({ subresource }: Write, live: ApiObject | undefined, object: ApiObject): Managers {
  const stored = () => decodeManagers(live?.metadata?.managedFields) ?? new Map()
  const sent = object.metadata?.managedFields
  if (subresource !== '' || sent === undefined) return stored()
  if (sent.length === 0 || (sent.length === 1 && Object.keys(sent[0]!).length === 0)) return new Map()
  const managers = decodeManagers(sent)
  return managers === undefined || managers.size === 0 ? stored() : managers
}

export function withoutManagedFields<T extends ApiObject>(object: T): T {
  return object.metadata?.managedFields === undefined ? object : withManagedFields(object, undefined)
}

export function withManagedFields<T extends ApiObject>(
  object: T,
  managedFields: readonly ManagedFieldsEntry[] | undefined,
): T {
  const { managedFields: _, ...metadata } = object.metadata ?? {}
  return { ...object, metadata: managedFields === undefined ? metadata : { ...metadata, managedFields } }
}

/**
 * An update that changes nothing but the times in managedFields is none: the answer then is the stored object's own
 * metadata, so that it compares as equal.
 */
export function withoutTimeChanges<T extends ApiObject>(object: T, live: ApiObject): T {
  const before = live.metadata?.managedFields
  const after = object.metadata?.managedFields
  if (before === undefined || after === undefined || before.length !== after.length) return object
  const isSame = sameJson(untimed(before), untimed(after)) && sameRest(object, live)
  return isSame ? { ...object, metadata: { ...object.metadata, managedFields: before } } : object
}

const untimed = (entries: readonly ManagedFieldsEntry[]) =>
  entries.map((entry) => JSON.stringify({ ...entry, time: undefined })).sort()

function sameRest(object: ApiObject, live: ApiObject): boolean {
  const rest = (value: ApiObject): JsonObject => {
    const { resourceVersion: _, ...metadata } = withoutManagedFields(value).metadata ?? {}
    return { ...value, metadata }
  }
  return sameJson(rest(object), rest(live))
}
