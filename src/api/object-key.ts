// How objects of one kind are told apart.

import type { ApiObject } from '#api/meta.ts'

/** `namespace/name`, or `name` for what has no namespace. */
export function keyOf(object: ApiObject): string {
  const { namespace, name = '' } = object.metadata ?? {}
  return namespace ? `${namespace}/${name}` : name
}

/** The two halves of a key; namespace '' where there is none. */
export function splitKey(key: string): { readonly namespace: string; readonly name: string } {
  const slash = key.indexOf('/')
  return slash < 0 ? { namespace: '', name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) }
}
