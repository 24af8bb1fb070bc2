// The hash that tells one revision of a pod template from another, in names and in the label pod-template-hash.

/** No vowels, so that no word appears by accident, and nothing that looks like something else. */
const alphabet = 'bcdfghjklmnpqrstvwxz2456789'

/**
 * Stable hash of a template. It has the form of Kubernetes' own (FNV-1a of 32 bits, its decimal digits spelled in a
 * safe alphabet) over the template's JSON with sorted keys, so it does not depend on the order of fields.
 * `collisions` makes another hash for the same template where a name was taken.
 */
export function templateHash(template: unknown, collisions?: number): string {
  let hash = 0x811c9dc5
  for (const byte of new TextEncoder().encode(sortedJson(template) + (collisions ?? ''))) {
    hash = Math.imul(hash ^ byte, 0x01000193)
  }
  return [...String(hash >>> 0)].map((digit) => alphabet[digit.charCodeAt(0) % alphabet.length]).join('')
}

function sortedJson(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}
