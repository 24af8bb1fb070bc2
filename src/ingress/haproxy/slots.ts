// HAProxy cannot get new back ends while it runs, but servers in those that it has. So it has spare ones: a Service's port
// gets a number, and loses it when no route leads there any more.

import type { BackendKey } from '#ingress/route.ts'

export type Slots = {
  readonly byKey: ReadonlyMap<BackendKey, number>
  /** the one that was given back first is used first */
  readonly free: readonly number[]
  readonly count: number
}

/** As many as are used, and a half more; 32 at least. */
export const slotsFor = (used: number): number => Math.ceil(used * 1.5) + 32

export const noSlots = (count: number): Slots => ({
  byKey: new Map(),
  free: Array.from({ length: count }, (_, i) => i),
  count,
})

/**
 * Numbers for these keys, those that have one keeping it; undefined where there are too few. `isBusy`: a number whose
 * servers still have connections cannot be used by another Service.
 */
export function assignSlots(
  slots: Slots,
  keys: Iterable<BackendKey>,
  isBusy: (slot: number) => boolean = () => false,
): Slots | undefined {
  const wanted = new Set(keys)
  const kept = [...slots.byKey].filter(([key]) => wanted.has(key))
  const fresh = [...wanted].filter((key) => !slots.byKey.has(key))
  if (fresh.length === 0 && kept.length === slots.byKey.size) return slots
  const usable = slots.free.filter((slot) => !isBusy(slot))
  if (usable.length < fresh.length) return undefined
  const given = fresh.map((key, i) => [key, usable[i]!] as const)
  const taken = new Set(given.map(([, slot]) => slot))
  const freed = [...slots.byKey].filter(([key]) => !wanted.has(key)).map(([, slot]) => slot)
  return {
    byKey: new Map([...kept, ...given]),
    free: [...slots.free.filter((slot) => !taken.has(slot)), ...freed],
    count: slots.count,
  }
}

/** Throws where the key has no slot. */
export function slotName(slots: Slots, key: BackendKey): string {
  const slot = slots.byKey.get(key)
  if (slot === undefined) throw new Error(`no slot for ${key}`)
  return nameOfSlot(slot)
}
export const nameOfSlot = (slot: number): string => `be-${slot}`
