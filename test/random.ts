// Random numbers from a seed, so that a failed case can be run again: mulberry32.
export type Random = {
  /** Uniform in [0, 1). */
  next(): number
  /** Uniform from `least` to `most`, both included. */
  integer(least: number, most: number): number
  pick<T>(from: readonly T[]): T
}

export function seeded(seed: number): Random {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const integer = (least: number, most: number) => least + Math.floor(next() * (most - least + 1))
  return { next, integer, pick: (from) => from[integer(0, from.length - 1)]! }
}
