// JSON values as server-side apply sees them: an absent field, null and an empty list are three things.

export type JsonObject = { readonly [key: string]: unknown }

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Field by field; a field that is undefined is absent. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((item, at) => sameJson(item, b[at]))
  if (!isJsonObject(a) || !isJsonObject(b)) return false
  for (const key in a) if (a[key] !== undefined && !(key in b && sameJson(a[key], b[key]))) return false
  for (const key in b) if (b[key] !== undefined && a[key] === undefined) return false
  return true
}
