// HAProxy cannot get new back ends while it runs, but servers in those that it has. So it has spare ones: a Service's port
// gets a number, and loses it when no route leads there any more.

import type { BackendKey } from '#ingress/route.ts'

/** As many as are used, and a half more; 32 at least. */
export const slotsFor = (used: number): number => Math.ceil(used * 1.5) + 32

export class Slots {
  readonly count: number
  readonly #byKey = new Map<BackendKey, number>()
  /** the one that was given back first is used first */
  readonly #free: Set<number>

  constructor(count: number) {
    this.count = count
    this.#free = new Set(Array.from({ length: count }, (_, i) => i))
  }

  /** Few are left: the next reload should bring more. */
  get isScarce(): boolean {
    return this.#free.size < this.count / 10
  }

  /** The name of a key's back end, undefined where it has none. */
  find(key: BackendKey): string | undefined {
    const slot = this.#byKey.get(key)
    return slot === undefined ? undefined : nameOfSlot(slot)
  }

  /**
   * The same, where it has none given now; undefined where there are too few. `isBusy`: a back end whose servers still
   * have connections cannot be another Service's.
   */
  give(key: BackendKey, isBusy: (name: string) => boolean = () => false): string | undefined {
    const known = this.find(key)
    if (known !== undefined) return known
    for (const slot of this.#free) {
      if (isBusy(nameOfSlot(slot))) continue
      this.#free.delete(slot)
      this.#byKey.set(key, slot)
      return nameOfSlot(slot)
    }
    return undefined
  }

  giveBack(key: BackendKey): void {
    const slot = this.#byKey.get(key)
    if (slot === undefined) return
    this.#byKey.delete(key)
    this.#free.add(slot)
  }

  /** The key of each back end that is used, by its name. */
  keys(): ReadonlyMap<string, BackendKey> {
    return new Map([...this.#byKey].map(([key, slot]) => [nameOfSlot(slot), key]))
  }
}

export const nameOfSlot = (slot: number): string => `be-${slot}`
