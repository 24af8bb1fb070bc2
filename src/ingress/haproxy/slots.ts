// HAProxy cannot get new back ends while it runs, but servers in those that it has. So it has spare ones for each set of
// settings: a Service's port gets a number, and loses it when no route leads there any more.

import { type Settings, settingsKey } from '#ingress/annotations/settings.ts'
import type { Backend, BackendKey } from '#ingress/route.ts'

/** As many as are used, and a half more; of ordinary ones 32 at least. */
export const slotsFor = (used: number, settings = ''): number => Math.ceil(used * 1.5) + (settings === '' ? 32 : 0)

export class Slots {
  /** by number */
  readonly settings: readonly Settings[]
  readonly #byKey = new Map<BackendKey, number>()
  /** by the key of settings; the one that was given back first is used first */
  readonly #free = new Map<string, Set<number>>()
  readonly #ordinary: number

  /** `ordinary`: how many without settings there shall be at least. */
  constructor(backends: readonly Pick<Backend, 'key' | 'settings'>[] = [], ordinary = 0) {
    const used = new Map([['', { settings: {} as Settings, count: 0 }]])
    for (const { settings } of backends) {
      const key = settingsKey(settings)
      used.set(key, { settings, count: (used.get(key)?.count ?? 0) + 1 })
    }
    const all: Settings[] = []
    for (const [key, { settings, count }] of used) {
      const wanted = key === '' && count <= ordinary * 0.8 ? ordinary : slotsFor(count, key)
      this.#free.set(key, new Set(Array.from({ length: wanted }, (_, i) => all.length + i)))
      for (let i = 0; i < wanted; i++) all.push(settings)
    }
    this.settings = all
    this.#ordinary = this.#free.get('')!.size
    for (const { key, settings } of backends) this.give(key, settings)
  }

  /** How many there are without settings. */
  get ordinary(): number {
    return this.#ordinary
  }

  /** Few are left: the next reload should bring more. */
  get isScarce(): boolean {
    return this.#free.get('')!.size < this.#ordinary / 10
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
  give(key: BackendKey, settings: Settings, isBusy: (name: string) => boolean = () => false): string | undefined {
    const known = this.find(key)
    if (known !== undefined) return known
    const free = this.#free.get(settingsKey(settings))
    for (const slot of free ?? []) {
      if (isBusy(nameOfSlot(slot))) continue
      free!.delete(slot)
      this.#byKey.set(key, slot)
      return nameOfSlot(slot)
    }
    return undefined
  }

  giveBack(key: BackendKey): void {
    const slot = this.#byKey.get(key)
    if (slot === undefined) return
    this.#byKey.delete(key)
    this.#free.get(settingsKey(this.settings[slot]!))!.add(slot)
  }

  /** The key of each back end that is used, by its name. */
  keys(): ReadonlyMap<string, BackendKey> {
    return new Map([...this.#byKey].map(([key, slot]) => [nameOfSlot(slot), key]))
  }
}

export const nameOfSlot = (slot: number): string => `be-${slot}`
