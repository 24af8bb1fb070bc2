import type { ApiObject } from '#api/meta.ts'

/** What servers keep for themselves, and nobody here reads. */
export function withoutManagedFields<T extends ApiObject>(object: T): T {
  if (object.metadata?.managedFields === undefined) return object
  const { managedFields: _, ...metadata } = object.metadata
  return { ...object, metadata }
}
