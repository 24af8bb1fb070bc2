// What several Ingresses may want for themselves, and only one of them can have: a host and path, the certificate of a
// host. Kubernetes leaves it open; here the older Ingress has it (then the one whose name comes first).

import type { Ingress } from '#api/networking.ts'
import type { Stored } from '#api/stored.ts'
import { compareText } from '#lib/sort.ts'

export type Claim<T> = {
  readonly owner: Stored<Ingress>
  /** counts before age: the lower one has it */
  readonly rank: number
  readonly value: T
}

export class Claims<T> {
  readonly #byKey = new Map<string, Claim<T>[]>()

  /** Those of one key, the one that has it first. */
  of(key: string): readonly Claim<T>[] {
    return this.#byKey.get(key) ?? []
  }

  add(key: string, claim: Claim<T>): void {
    const claims = this.#byKey.get(key)
    if (claims === undefined) return void this.#byKey.set(key, [claim])
    const after = claims.findIndex((other) => compareClaims(claim, other) < 0)
    claims.splice(after < 0 ? claims.length : after, 0, claim)
  }

  /** Takes back what this state of an Ingress has claimed. */
  withdraw(key: string, owner: Stored<Ingress>): void {
    const left = this.of(key).filter((claim) => claim.owner !== owner)
    if (left.length > 0) this.#byKey.set(key, left)
    else this.#byKey.delete(key)
  }
}

function compareClaims(a: Claim<unknown>, b: Claim<unknown>): number {
  const [left, right] = [a.owner.metadata, b.owner.metadata]
  return (
    a.rank - b.rank ||
    compareText(left.creationTimestamp, right.creationTimestamp) ||
    compareText(`${left.namespace}/${left.name}`, `${right.namespace}/${right.name}`)
  )
}
