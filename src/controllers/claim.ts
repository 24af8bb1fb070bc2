// Which objects a workload takes as its own: by owner reference, and by its selector where nobody owns them.

import type { ApiObject } from '#api/meta.ts'
import { controllerOf, controllerReference } from '#api/owner.ts'
import type { Resource } from '#api/resource.ts'
import type { Stored } from '#api/stored.ts'
import { type Act, patchOf } from '#client/control/act.ts'

export type Claim<T> = {
  /** what the owner manages from now on, adopted ones included */
  readonly owned: readonly T[]
  /** patches that adopt orphans and let go of what no longer matches */
  readonly acts: readonly Act[]
  /** whether one of them adopts: then make sure first that the owner still lives */
  readonly adopts: boolean
}

/**
 * Claims for `owner` among `candidates` of its namespace. An owner on its way out neither adopts nor releases; what is
 * itself on its way out is not adopted.
 */
export function planClaim<T extends ApiObject>(claim: {
  readonly ownerResource: Resource
  readonly owner: Stored
  readonly resource: Resource<T>
  readonly candidates: Iterable<Stored<T>>
  readonly matches: (labels: Readonly<Record<string, string>>) => boolean
}): Claim<Stored<T>> {
  const { ownerResource, owner, resource, candidates, matches } = claim
  const ownerGoes = owner.metadata.deletionTimestamp !== undefined
  const owned: Stored<T>[] = []
  const acts: Act[] = []
  let adopts = false
  for (const candidate of candidates) {
    const { labels = {}, ownerReferences = [], deletionTimestamp } = candidate.metadata
    const controller = controllerOf(candidate)
    if (controller !== undefined && controller.uid !== owner.metadata.uid) continue
    const fits = matches(labels)
    if (controller !== undefined) {
      if (fits) owned.push(candidate)
      else if (!ownerGoes) {
        const rest = ownerReferences.filter(({ uid }) => uid !== owner.metadata.uid)
        acts.push(patchOf(resource, candidate, { metadata: { ownerReferences: rest } }))
      }
    } else if (fits && !ownerGoes && deletionTimestamp === undefined) {
      const references = [...ownerReferences, controllerReference(ownerResource, owner)]
      owned.push({ ...candidate, metadata: { ...candidate.metadata, ownerReferences: references } })
      acts.push(patchOf(resource, candidate, { metadata: { ownerReferences: references } }))
      adopts = true
    }
  }
  return { owned, acts, adopts }
}
