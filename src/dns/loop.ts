// Whether this server forwards to itself: a name that nobody else knows is asked of the upstreams once; if it comes
// back as a query more than twice, every forwarded question would go round for ever.

import type { Query } from '#dns/query.ts'
import { recordTypes } from '#dns/wire/record.ts'

export type LoopCheck = {
  /** the name to ask upstreams for, with type HINFO */
  readonly name: string
  /** Counts queries; true when the server must stop. */
  saw(query: Pick<Query, 'name' | 'type'>): boolean
}

/** `token` is a label that nobody else makes, of letters and digits. */
export function createLoopCheck(token: string, zone: string): LoopCheck {
  const name = `${token}.${token}${zone === '' ? '' : `.${zone}`}`
  let seen = 0
  return {
    name,
    saw(query) {
      if (query.type !== recordTypes.HINFO || query.name !== name) return false
      return ++seen > 2
    },
  }
}
