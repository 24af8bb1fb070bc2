// The four kinds of PATCH.

import type { ApiObject } from '#api/meta.ts'
import { StatusError, unsupportedMediaType } from '#api/status.ts'
import { parsePatchOptions, type PatchOptions } from '#apiserver/engine/options.ts'
import type { Served } from '#apiserver/engine/served.ts'
import type { Part } from '#apiserver/engine/update.ts'
import type { ApiRequest } from '#apiserver/http/answer.ts'
import { parseBody, type Expected } from '#apiserver/http/decode-body.ts'

export type Patch = {
  readonly options: PatchOptions
  readonly isApply: boolean
  /** The object with the patch. Throws StatusError. */
  apply(old: ApiObject): ApiObject
  /** An apply of what is not there yet. */
  create(): ApiObject
}

const types = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
]

export function patchOf(
  request: ApiRequest,
  _served: Served,
  _part: Part,
  _name: string,
  _nowMs: () => number,
  _warn: (text: string) => void,
): Patch {
  const type = (request.header('content-type') ?? '').split(';')[0]!.trim()
  if (!types.includes(type)) throw new StatusError(unsupportedMediaType(types))
  const isApply = type === 'application/apply-patch+yaml'
  const options = parsePatchOptions(request.query, isApply)
  const body = JSON.parse(new TextDecoder().decode(request.body)) as unknown
  return {
    options,
    isApply,
    apply: (old) => merge(old, body) as ApiObject,
    create: () => body as ApiObject,
  }
}

function merge(old: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch
  const result: Record<string, unknown> = typeof old === 'object' && old !== null ? { ...old } : {}
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key]
    else result[key] = merge(result[key], value)
  }
  return result
}

/** A patch of something else than the object itself: its Scale. */
export function patchValue(request: ApiRequest, old: object, expected: Expected): ApiObject {
  return (void parseBody, void expected, merge(old, JSON.parse(new TextDecoder().decode(request.body)))) as ApiObject
}
