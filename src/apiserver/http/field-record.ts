// Who wrote which field: the record in metadata.managedFields that each write keeps.

import type { ApiObject } from '#api/meta.ts'

/** The name of a manager: what the client says, else the program that it says it is. */
export function managerOf(fieldManager: string, userAgent: string | undefined): string {
  return (
    fieldManager ||
    (userAgent ?? '')
      .split('/')[0]!
      .replaceAll(/[^\x20-\x7e]/g, '')
      .slice(0, 128) ||
    'unknown'
  )
}

export type Track = {
  readonly type: string
  readonly apiVersion: string
  readonly manager: string
  readonly subresource: string
  readonly hasStatus: boolean
  nowMs(): number
}

export function trackWrites(_track: Track): (object: ApiObject, live: ApiObject | undefined) => ApiObject {
  return (object) => object
}
