/** Whether two JSON values mean the same: an absent or undefined field equals an absent one, and an empty list. */
export function equalJson(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (Array.isArray(a) || Array.isArray(b)) {
    const left = Array.isArray(a) ? a : []
    const right = Array.isArray(b) ? b : []
    if (!Array.isArray(a) && a !== undefined && a !== null) return false
    if (!Array.isArray(b) && b !== undefined && b !== null) return false
    return left.length === right.length && left.every((item, i) => equalJson(item, right[i]))
  }
  if (a === undefined || a === null || b === undefined || b === null) return (a ?? undefined) === (b ?? undefined)
  if (typeof a !== 'object' || typeof b !== 'object') return false
  const left = a as Record<string, unknown>
  const right = b as Record<string, unknown>
  for (const key in left) if (!equalJson(left[key], right[key])) return false
  for (const key in right) if (!(key in left) && !equalJson(undefined, right[key])) return false
  return true
}
