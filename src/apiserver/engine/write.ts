// What creates, updates and deletes have in common.

import type { FieldError } from '#api/field-error.ts'
import type { ApiObject } from '#api/meta.ts'
import { invalid, StatusError } from '#api/status.ts'
import type { Entry } from '#apiserver/cache/entry.ts'
import type { GuardRequest } from '#apiserver/engine/guard.ts'
import type { Engine } from '#apiserver/engine/engine.ts'
import type { Served } from '#apiserver/engine/served.ts'
import type { Admitted, Refused, User } from '#apiserver/kind.ts'

/** One write: to what, by whom and how. */
export type Writing = {
  readonly served: Served
  readonly namespace: string
  /** '' in a create */
  readonly name: string
  readonly user: User
  readonly dryRun: boolean
  /** Keeps the record of who wrote which field. */
  manage(object: ApiObject, live: ApiObject | undefined): ApiObject
  warn(text: string): void
}

/** What a write answers: the object as it is now, and as its bytes are stored unless nothing was (a dry run). */
export type Outcome = { readonly object: ApiObject; readonly entry?: Entry | undefined }

export const nameOf = (object: ApiObject): string => object.metadata?.name ?? ''

/** Answers or throws what a hook says. */
export function refuse(served: Served, name: string, refused: Refused): never {
  throw new StatusError(
    refused.kind === 'status' ? refused.status : invalid(served.kind.resource, name, refused.errors),
  )
}

/** Throws StatusError where the guard says no. */
export async function refuseGuarded(engine: Engine, request: GuardRequest): Promise<void> {
  const status = await engine.guard(request)
  if (status !== undefined) throw new StatusError(status)
}

export function refuseInvalid(served: Served, object: ApiObject, errors: readonly FieldError[]): void {
  if (errors.length > 0) throw new StatusError(invalid(served.kind.resource, nameOf(object), errors))
}

export type Taken = { readonly object: ApiObject; commit(): Promise<void>; revert(): Promise<void> }

/** Asks the kind for what the object needs from shared pools. A dry run gives nothing back, as nothing was taken. */
export async function take(
  served: Served,
  object: ApiObject,
  dryRun: boolean,
  ask: Promise<Admitted<ApiObject>> | undefined,
): Promise<Taken> {
  const nothing = async () => {}
  if (ask === undefined) return { object, commit: nothing, revert: nothing }
  const admitted = await ask
  if (admitted.kind !== 'admitted') return refuse(served, nameOf(object), admitted)
  return {
    object: admitted.object,
    commit: async () => (dryRun ? undefined : admitted.commit?.()),
    revert: async () => (dryRun ? undefined : admitted.revert?.()),
  }
}

/** The entry that a write at this revision made. */
export function entryAtRevision(served: Served, key: string, revision: number): Entry | undefined {
  const entry = served.cache.get(key)
  return entry?.revision === revision ? entry : undefined
}

export function warnAll(writing: Writing, object: ApiObject, old: ApiObject | undefined): void {
  for (const text of writing.served.kind.warnings?.(object, old) ?? []) writing.warn(text)
}

/** An object with the resourceVersion of its write, as clients see it. */
export const withRevision = (object: ApiObject, revision: number): ApiObject => ({
  ...object,
  metadata: { ...object.metadata, resourceVersion: String(revision) },
})

/** The resources whose namespaces may be gone or going: all of them ask for it before a create. */
export async function namespaceOf(engine: Engine, name: string): Promise<ApiObject | undefined> {
  const namespaces = engine.served.find('', 'v1', 'namespaces')
  if (namespaces === undefined) return undefined
  return (await namespaces.cache.find(name))?.object
}
