// Who wrote which field: the record in metadata.managedFields that each write keeps.

import { recordUpdate, type Write } from '#api/apply/record.ts'
import type { ApiObject } from '#api/meta.ts'
import type { Served } from '#apiserver/engine/served.ts'

/** The name of a manager: what the client says, else the program that it says it is. */
export function managerOf(fieldManager: string, userAgent: string | undefined): string {
  if (fieldManager !== '') return fieldManager
  const [program = ''] = (userAgent ?? '').split('/')
  return program.replaceAll(/[^\x20-\x7e]/g, '').slice(0, 128) || 'unknown'
}

/** How the record sees a write of an object ('') or of a subresource. */
export function writeOf(served: Served, subresource: string, manager: string, nowMs: number): Write {
  const { kind, apiVersion } = served
  return { type: kind.type, apiVersion, subresource, manager, ignored: ignoredBy(served, subresource), nowMs }
}

/** What such a write cannot change. */
function ignoredBy({ kind }: Served, subresource: string): Write['ignored'] {
  if (subresource === 'status') return [['spec']]
  // What was not this part has not changed either.
  if (kind.parts?.[subresource] !== undefined) return []
  return kind.status === undefined ? [] : [['status']]
}

export function trackWrites(write: () => Write): (object: ApiObject, live: ApiObject | undefined) => ApiObject {
  return (object, live) => recordUpdate(write(), live, object)
}
