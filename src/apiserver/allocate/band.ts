// How a free place in a range is chosen (KEP-3070 for addresses, KEP-3668 for ports): at random in the upper band, so
// that the lower band stays free for those who ask for one place by name; when the upper band is full, in the lower.

/** A range of `size` numbered places, of which the first `band` are given away last. */
export type Range = { readonly size: number; readonly band: number }

/** A random whole number from 0 to `below` - 1. */
export type Random = (below: number) => number

/** The size of the lower band: a share of the range, within bounds; 0 in a range not larger than `least`. */
export function bandOf(size: number, rule: { least: number; most: number; share: number }): number {
  if (size <= rule.least) return 0
  return Math.min(Math.max(rule.least, Math.floor(size / rule.share)), rule.most)
}

/** A free place, or undefined when the range is full. */
export function pickPlace(range: Range, isTaken: (place: number) => boolean, random: Random): number | undefined {
  return scan(range.band, range.size, isTaken, random) ?? scan(0, range.band, isTaken, random)
}

/** Looks from a random place on, around the end, so that neighbours are not handed out in order. */
function scan(from: number, to: number, isTaken: (place: number) => boolean, random: Random): number | undefined {
  const length = to - from
  if (length <= 0) return undefined
  const start = random(length)
  for (let step = 0; step < length; step++) {
    const place = from + ((start + step) % length)
    if (!isTaken(place)) return place
  }
  return undefined
}
