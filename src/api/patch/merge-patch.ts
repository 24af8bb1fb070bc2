// JSON merge patches (RFC 7386): null removes, objects merge, everything else replaces. Nothing is changed in place.

import { isObject, type JsonObject, malformed, type Patched, patched, setField } from '#api/patch/patched.ts'

export function applyMergePatch(object: JsonObject, patch: unknown): Patched {
  return patched(() => {
    if (!isObject(patch)) throw malformed('Invalid JSON Patch')
    return mergeObjects(object, patch)
  })
}

function mergeObjects(object: JsonObject, patch: JsonObject): JsonObject {
  const result: Record<string, unknown> = { ...object }
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key]
    else setField(result, key, merge(Object.hasOwn(result, key) ? result[key] : undefined, value))
  }
  return result
}

function merge(value: unknown, patch: unknown): unknown {
  return isObject(value) && isObject(patch) ? mergeObjects(value, patch) : withoutNulls(patch)
}

/** What is new has no nulls in its objects, also in those inside lists; elements that are null stay. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (!isObject(value)) return value
  const result: Record<string, unknown> = {}
  for (const [key, item] of Object.entries(value)) if (item !== null) setField(result, key, withoutNulls(item))
  return result
}

/** The patch that turns `from` into `to`. */
export function createMergePatch(from: JsonObject, to: JsonObject): JsonObject {
  const patch: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(to)) {
    const old = from[key]
    if (isObject(old) && isObject(value)) {
      const inner = createMergePatch(old, value)
      if (Object.keys(inner).length > 0) setField(patch, key, inner)
    } else if (JSON.stringify(old) !== JSON.stringify(value)) setField(patch, key, value)
  }
  for (const key of Object.keys(from)) if (!Object.hasOwn(to, key)) setField(patch, key, null)
  return patch
}
