// What a plan asks the API server for. A plan is a list of these, done in order; the first that fails ends it.

import type { ApiObject } from '#api/meta.ts'
import { createMergePatch } from '#api/patch/merge-patch.ts'
import type { JsonObject } from '#api/patch/patched.ts'
import type { Resource } from '#api/resource.ts'
import type { StoredMeta } from '#api/stored.ts'
import { equalJson } from '#lib/equal.ts'

/** Names a stored object; `resourceVersion` makes the request fail with a conflict when the object has changed. */
export type Target = Pick<StoredMeta, 'name' | 'uid'> & {
  readonly namespace?: string
  readonly resourceVersion?: string
}

export type Act =
  | { readonly kind: 'create'; readonly resource: Resource; readonly object: ApiObject }
  | { readonly kind: 'update'; readonly resource: Resource; readonly object: ApiObject; readonly subresource?: string }
  | {
      /** a JSON merge patch of `target`, of its metadata and spec or of a subresource */
      readonly kind: 'patch'
      readonly resource: Resource
      readonly target: Target
      readonly patch: object
      readonly subresource?: string
    }
  | {
      readonly kind: 'delete'
      readonly resource: Resource
      readonly target: Target
      readonly gracePeriodSeconds?: number
      readonly propagation?: 'Background' | 'Foreground' | 'Orphan'
    }
  | {
      readonly kind: 'event'
      readonly resource: Resource
      readonly about: ApiObject
      readonly type: 'Normal' | 'Warning'
      readonly reason: string
      readonly message: string
    }

/** What a sync of one key decided. */
export type Plan = {
  readonly acts: readonly Act[]
  /** decide again after this time even if nothing happens, since the decision depends on the clock */
  readonly againAfterMs?: number
}

/** A patch of `object` that fails when someone else has changed it meanwhile. */
export function patchOf(
  resource: Resource,
  object: { readonly metadata: StoredMeta },
  patch: Readonly<Record<string, unknown>>,
  subresource?: string,
): Act {
  const { name, uid, namespace, resourceVersion } = object.metadata
  const target: Target = { name, uid, ...(namespace === undefined ? {} : { namespace }), resourceVersion }
  return { kind: 'patch', resource, target, patch, ...(subresource === undefined ? {} : { subresource }) }
}

/** Writes a status, where it says anything new. */
export function writeStatus(
  resource: Resource,
  object: { readonly metadata: StoredMeta; readonly status?: object },
  status: object,
): readonly Act[] {
  const { status: old } = object
  if (old !== undefined && equalJson(old, status)) return []
  return [
    patchOf(resource, object, { status: createMergePatch((old ?? {}) as JsonObject, status as JsonObject) }, 'status'),
  ]
}

export function targetOf(object: { readonly metadata: StoredMeta }): Target {
  const { name, uid, namespace } = object.metadata
  return { name, uid, ...(namespace === undefined ? {} : { namespace }) }
}

export function eventAbout(
  resource: Resource,
  about: ApiObject,
  type: 'Normal' | 'Warning',
  reason: string,
  message: string,
): Act {
  return { kind: 'event', resource, about, type, reason, message }
}
