// Where a list that is answered in pages goes on: apiserver's storage/continue.go.

export type ContinueToken = {
  /** the revision that all pages show; -1: whatever is there now (after an expired token) */
  readonly revision: number
  /** the key, without the resource's prefix, at which the next page begins */
  readonly from: string
}

/** `after` is the last key of the page. */
export function encodeContinue(revision: number, after: string): string {
  const json = JSON.stringify({ v: 'meta.k8s.io/v1', rv: revision, start: `${after}\0` })
  return toBase64Url(json)
}

/** Undefined: not a token of ours. */
export function decodeContinue(token: string): ContinueToken | undefined {
  const parsed = parse(token)
  if (parsed?.v !== 'meta.k8s.io/v1') return undefined
  const { rv, start } = parsed
  if (typeof rv !== 'number' || !Number.isInteger(rv) || rv === 0 || typeof start !== 'string') return undefined
  // A start that climbs out of the resource would read other resources.
  if (start === '' || `/${start}`.includes('/../') || start.startsWith('/')) return undefined
  return { revision: rv, from: start }
}

function parse(token: string): { v?: unknown; rv?: unknown; start?: unknown } | undefined {
  try {
    const binary = atob(token.replaceAll('-', '+').replaceAll('_', '/'))
    const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0))
    const value = JSON.parse(new TextDecoder().decode(bytes)) as unknown
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

function toBase64Url(text: string): string {
  const bytes = new TextEncoder().encode(text)
  const binary = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}
