// Whether the proxy keeps up: an address family is healthy unless a change has been waiting for it for too long.
import type { Family } from '#proxy/state.ts'

export type FamilyHealth = { readonly lastUpdatedMs: number; readonly healthy: boolean }
export type Health = {
  readonly healthy: boolean
  /** of the family that was written last */
  readonly lastUpdatedMs: number
  readonly families: ReadonlyMap<Family, FamilyHealth>
}

/** Times are milliseconds since 1970. */
export class HealthState {
  readonly #patienceMs: number
  readonly #updated = new Map<Family, number>()
  readonly #waiting = new Map<Family, number>()

  /** `patienceMs`: how long a change may wait. */
  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs
  }

  /** A change is known that is not in the kernel yet. */
  queued(family: Family, nowMs: number): void {
    if (!this.#waiting.has(family)) this.#waiting.set(family, nowMs)
  }

  /** Everything known is in the kernel. */
  updated(family: Family, nowMs: number): void {
    this.#waiting.delete(family)
    this.#updated.set(family, nowMs)
  }

  at(nowMs: number): Health {
    const families = new Map<Family, FamilyHealth>()
    for (const [family, lastUpdatedMs] of this.#updated) {
      const since = this.#waiting.get(family)
      families.set(family, { lastUpdatedMs, healthy: since === undefined || nowMs - since < this.#patienceMs })
    }
    return {
      healthy: [...families.values()].every(({ healthy }) => healthy),
      lastUpdatedMs: Math.max(0, ...this.#updated.values()),
      families,
    }
  }
}
