// What applying a patch gives: the object, or why it cannot be applied.

import type { Status } from '#api/meta.ts'
import { badRequest, failure } from '#api/status.ts'

export type Patched =
  | { readonly kind: 'ok'; readonly value: JsonObject }
  | { readonly kind: 'status'; readonly status: Status }

export type JsonObject = { readonly [key: string]: unknown }

/** Ends the work on one patch; `Patched` is what leaves this folder. */
export class PatchError extends Error {
  readonly status: Status
  constructor(status: Status) {
    super(status.message)
    this.status = status
  }
}

/** A patch that is not of the form of a patch. */
export const malformed = (message: string) => new PatchError(badRequest(message))

/** A patch that does not fit this object. Upstream keeps the reason to itself. */
export const unfit = () =>
  new PatchError(failure(422, 'Invalid', 'the server rejected our request due to an error in our request', {}))

/** What upstream answers where it has no better word than the error itself. */
export const failed = (message: string) => new PatchError(failure(500, '', message))

export function patched(patch: () => JsonObject): Patched {
  try {
    return { kind: 'ok', value: patch() }
  } catch (error) {
    if (error instanceof PatchError) return { kind: 'status', status: error.status }
    throw error
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** An assignment that also makes a field of the name `__proto__`. */
export function setField(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true })
  else object[key] = value
}
