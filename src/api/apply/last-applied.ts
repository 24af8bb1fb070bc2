// The annotation in which kubectl's client-side apply keeps what it applied last. Server-side apply reads it when kubectl
// goes over to it, and keeps it up to date as long as it is there, so that going back works too.

import { compareObjects } from '#api/apply/compare.ts'
import { difference, type FieldSet, union } from '#api/apply/field-set.ts'
import { checkShape, fieldsOf } from '#api/apply/fields-of.ts'
import { isJsonObject, type JsonObject } from '#api/apply/json-value.ts'
import { withoutManagedFields } from '#api/apply/record.ts'
import { shapeOf } from '#api/apply/shape.ts'
import { goJson } from '#api/go-text.ts'
import type { ApiObject } from '#api/meta.ts'
import type { TypeRef } from '#api/type-ref.ts'

const annotation = 'kubectl.kubernetes.io/last-applied-configuration'

/** What the last client-side apply set and what is still as it set it: those fields are kubectl's own. */
export function allowedByLastApplied(
  { type, apiVersion }: { readonly type: TypeRef; readonly apiVersion: string },
  live: ApiObject,
): FieldSet | undefined {
  const last = parsed(live.metadata?.annotations?.[annotation])
  const shape = shapeOf(type)
  if (last?.['apiVersion'] !== apiVersion || checkShape(last, shape) !== undefined) return undefined
  const { added, modified, removed } = compareObjects(last, withoutManagedFields(live), shape)
  return difference(fieldsOf(last, shape), union(union(added, modified), removed))
}

function parsed(text: string | undefined): JsonObject | undefined {
  if (!text) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return isJsonObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

const mostBytes = 256 * 1024

/** The object with the annotation brought up to date, if it has one. */
export function withLastApplied(object: JsonObject, config: JsonObject): JsonObject {
  const metadata = isJsonObject(object['metadata']) ? object['metadata'] : {}
  const annotations = isJsonObject(metadata['annotations']) ? metadata['annotations'] : {}
  if (!annotations[annotation]) return object
  const { [annotation]: old, ...others } = annotations
  const text = `${goJson(sorted(withoutAnnotation(config)))}\n`
  if (text === old) return object
  const size = JSON.stringify(others).length + text.length
  const kept = size > mostBytes ? others : { ...others, [annotation]: text }
  return { ...object, metadata: { ...metadata, annotations: kept } }
}

function withoutAnnotation(config: JsonObject): JsonObject {
  const metadata = config['metadata']
  if (!isJsonObject(metadata) || !isJsonObject(metadata['annotations'])) return config
  const { [annotation]: _, ...annotations } = metadata['annotations']
  return { ...config, metadata: { ...metadata, annotations } }
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (!isJsonObject(value)) return value
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key])]),
  )
}
