// Objects as an API server stores them: what every stored object has is not optional here.

import type { ApiObject, ObjectMeta } from '#api/meta.ts'

/** Metadata of a stored object. `namespace` is set on objects of namespaced kinds only. */
export type StoredMeta = ObjectMeta & {
  readonly name: string
  readonly namespace: string
  readonly uid: string
  readonly resourceVersion: string
  readonly creationTimestamp: string
}

/** An object that came from an API server: with its metadata, and with its spec where the kind has one. */
export type Stored<T extends ApiObject = ApiObject> = T & { readonly metadata: StoredMeta } & (T extends {
    readonly spec?: infer S
  }
    ? { readonly spec: NonNullable<S> }
    : unknown)

/** Reads an object of a server's answer as stored. Throws when it has no name or UID: no server answers that. */
export function stored<T extends ApiObject>(object: T): Stored<T> {
  const { name, uid } = object.metadata ?? {}
  if (!name || !uid)
    throw new Error(`${object.kind ?? 'object'} ${name ?? ''} has no name or UID: it is not a stored one`)
  return object as Stored<T>
}
