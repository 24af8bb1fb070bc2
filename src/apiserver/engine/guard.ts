// What may be refused although it is allowed and well formed: asked before a write is prepared and checked, with what the
// client sent, defaulted (Kubernetes' admission plugins that only say no).

import type { ApiObject, Status } from '#api/meta.ts'
import type { Served } from '#apiserver/engine/served.ts'
import type { User } from '#apiserver/kind.ts'

export type GuardRequest = {
  readonly operation: 'create' | 'update' | 'delete'
  readonly served: Served
  /** '' for the object itself */
  readonly subresource: string
  readonly user: User
  readonly namespace: string
  /** '' where it is still to be generated */
  readonly name: string
  /** undefined in a delete; of a subresource (token, eviction) its body */
  readonly object: ApiObject | undefined
  readonly old: ApiObject | undefined
}

/** Why not; undefined: go on. */
export type Guard = (request: GuardRequest) => Promise<Status | undefined>

export const nothingGuarded: Guard = () => Promise.resolve(undefined)

/** The first that says no. */
export const allGuards =
  (guards: readonly Guard[]): Guard =>
  async (request) => {
    for (const guard of guards) {
      const status = await guard(request)
      if (status !== undefined) return status
    }
    return undefined
  }
