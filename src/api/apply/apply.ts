// Server-side apply: a client says what it wants of an object; what it said before and no longer says goes, what others
// own is a conflict unless it is forced (structured-merge-diff's Apply, and apimachinery's managedfields).

import { compareObjects } from '#api/apply/compare.ts'
import { type Conflict, conflictStatus } from '#api/apply/conflict.ts'
import {
  difference,
  differenceBelow,
  emptySet,
  type FieldSet,
  hasPath,
  intersection,
  pathsIn,
  union,
  withNamedFields,
} from '#api/apply/field-set.ts'
import { checkShape, fieldsOf } from '#api/apply/fields-of.ts'
import { isJsonObject, type JsonObject, sameJson } from '#api/apply/json-value.ts'
import { allowedByLastApplied, withLastApplied } from '#api/apply/last-applied.ts'
import {
  decodeManagers,
  encodeManagers,
  keyOfManager,
  type Managed,
  type ManagedFieldsEntry,
  type Manager,
  type Managers,
} from '#api/apply/managers.ts'
import { mergeConfig, withoutPaths } from '#api/apply/merge.ts'
import {
  emptyObject,
  ignoredSet,
  neverOwned,
  updatedManagers,
  withoutManagedFields,
  type Write,
} from '#api/apply/record.ts'
import { type Shape, shapeOf } from '#api/apply/shape.ts'
import type { ApiObject, Status } from '#api/meta.ts'
import { badRequest, failure } from '#api/status.ts'
import { formatTime } from '#api/time.ts'

export type Applied =
  | {
      readonly kind: 'ok'
      /** the merged object without managedFields, as the client wrote its values: it is to be decoded and defaulted */
      readonly object: JsonObject
      readonly managedFields: readonly ManagedFieldsEntry[] | undefined
      /** nothing but managedFields may have changed */
      readonly isSame: boolean
    }
  | { readonly kind: 'status'; readonly status: Status }

export type Apply = Write & { readonly kind: string; readonly force: boolean }

/** Applies `config`, the parsed body. `stored` is undefined for an object that is not there yet. */
export function applyConfig(apply: Apply, stored: ApiObject | undefined, config: unknown): Applied {
  const refused = checkConfig(apply, config)
  if (refused !== undefined) return { kind: 'status', status: refused }
  const live = stored ?? emptyObject(apply.type)
  const first = attempt(apply, live, config as JsonObject)
  if (first.kind === 'done') return finished(apply, first, config as JsonObject)
  // kubectl that goes over to server-side apply wins where its own last client-side apply is what stands there.
  const allowed = apply.manager === 'kubectl' ? allowedByLastApplied(apply, live) : undefined
  if (allowed === undefined) return { kind: 'status', status: conflictStatus(first.conflicts) }
  const left = first.conflicts.filter(({ path }) => !hasPath(allowed, path))
  if (left.length > 0) return { kind: 'status', status: conflictStatus(left) }
  const forced = attempt({ ...apply, force: true }, live, config as JsonObject)
  if (forced.kind === 'conflict') throw new Error('a forced apply has no conflicts')
  return finished(apply, forced, config as JsonObject)
}

function finished(apply: Apply, { object, managers, isSame }: Done, config: JsonObject): Applied {
  const result = apply.manager === 'kubectl' ? withLastApplied(object, config) : object
  return { kind: 'ok', object: result, managedFields: encodeManagers(managers), isSame: isSame && result === object }
}

function checkConfig({ type, apiVersion, kind }: Apply, config: unknown): Status | undefined {
  if (!isJsonObject(config)) return badRequest('error decoding YAML: the body is not an object')
  const found = groupVersionKind(config['apiVersion'], config['kind'])
  const wanted = groupVersionKind(apiVersion, kind)
  if (found !== wanted) return badRequest(`invalid object type: ${found}`)
  const metadata = config['metadata']
  if (isJsonObject(metadata) && metadata['managedFields'] !== undefined && metadata['managedFields'] !== null)
    return badRequest('metadata.managedFields must be nil')
  const wrong = checkShape(config, shapeOf(type))
  if (wrong === undefined) return undefined
  const { name, namespace } = (isJsonObject(metadata) ? metadata : {}) as { name?: string; namespace?: string }
  const what = `${namespace ?? ''}/${name ?? ''}; ${found}`
  return failure(500, '', `failed to create typed patch object (${what}): ${wrong}`)
}

/** As Go shows it: `apps/v1, Kind=Deployment`. */
function groupVersionKind(apiVersion: unknown, kind: unknown): string {
  const text = typeof apiVersion === 'string' ? apiVersion : ''
  return `${text.includes('/') ? text : `/${text}`}, Kind=${typeof kind === 'string' ? kind : ''}`
}

type Done = {
  readonly kind: 'done'
  readonly object: JsonObject
  readonly managers: Managers
  readonly isSame: boolean
}

function attempt(
  apply: Apply,
  live: ApiObject,
  config: JsonObject,
): Done | { readonly kind: 'conflict'; readonly conflicts: readonly Conflict[] } {
  const shape = shapeOf(apply.type)
  const before: JsonObject = withoutManagedFields(live)
  const manager: Manager = {
    name: apply.manager || 'unknown',
    operation: 'Apply',
    apiVersion: apply.apiVersion,
    subresource: apply.subresource,
  }
  const key = keyOfManager(manager)
  const stored = managersOf(apply, live)
  const last = stored.get(key)?.fields ?? emptySet
  const ignored = ignoredSet(apply.ignored)
  const mine: Managed = {
    manager,
    fields: differenceBelow(fieldsOf(config, shape), ignored),
    time: formatTime(apply.nowMs),
  }
  const managers = new Map(stored).set(key, mine)
  const merged = (mergeConfig(before, config, shape) ?? {}) as JsonObject
  const object = prune(merged, managers, last, shape) as JsonObject

  const comparison = compareObjects(before, object, shape)
  const changed = differenceBelow(union(comparison.modified, comparison.added), ignored)
  const removed = differenceBelow(comparison.removed, ignored)
  const conflicts: Conflict[] = []
  for (const [other, { manager, fields }] of [...managers].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (other === key) continue
    const lost = intersection(fields, changed)
    for (const path of pathsIn(lost)) conflicts.push({ manager, path })
    const kept = difference(difference(fields, lost), removed)
    if (kept.size > 0) managers.set(other, { ...managers.get(other)!, fields: kept })
    else managers.delete(other)
  }
  if (conflicts.length > 0 && !apply.force) return { kind: 'conflict', conflicts }

  const isSame = sameJson(before, object)
  const fields = difference(mine.fields, neverOwned)
  if (fields.size === 0) managers.delete(key)
  else managers.set(key, { manager, fields, time: isSame ? (stored.get(key)?.time ?? mine.time) : mine.time })
  return { kind: 'done', object, managers, isSame }
}

/** What stood there before the first apply belongs to someone too. */
function managersOf(apply: Apply, live: ApiObject): Managers {
  const managers = decodeManagers(live.metadata?.managedFields)
  if (managers !== undefined && managers.size > 0) return managers
  const write = { ...apply, manager: 'before-first-apply' }
  return updatedManagers(write, new Map(), emptyObject(apply.type), withoutManagedFields(live))
}

/** Takes away what this manager owned alone and no longer speaks of. */
function prune(merged: JsonObject, managers: Managers, last: FieldSet, shape: Shape): unknown {
  if (last.size === 0) return merged
  const named = (set: FieldSet) => withNamedFields(set, shape)
  const mergedFields = named(fieldsOf(merged, shape))
  const owned = [...managers.values()].reduce<FieldSet>((all, { fields }) => union(all, fields), emptySet)
  const bare = withoutPaths(merged, named(last), shape)
  // What someone owns comes back, with all that leads to it.
  const kept = union(named(fieldsOf(bare, shape)), named(owned))
  const withOwned = withoutPaths(merged, difference(mergedFields, kept), shape)
  // What went only because something around it did was never this manager's to remove.
  const gone = difference(mergedFields, named(fieldsOf(withOwned, shape)))
  return withoutPaths(merged, intersection(gone, named(last)), shape)
}
