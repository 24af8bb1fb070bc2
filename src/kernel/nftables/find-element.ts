// Which element of a set a key finds, as the kernel would look it up.
import type { NftElement, NftSet } from '#kernel/nftables/ruleset.ts'

/** Makes the lookup of a set; the key must be as long as the set's. Undefined: nothing is found. */
export function indexSet(set: NftSet): (key: Uint8Array) => NftElement | undefined {
  const catchAll = set.elements.find((element) => element.catchAll)
  const elements = set.elements.filter((element) => !element.catchAll)
  const find = !set.interval ? exact(elements) : set.concatenated ? concatenated(set, elements) : ranges(elements)
  return (key) => find(key) ?? catchAll
}

function exact(elements: readonly NftElement[]) {
  const byKey = new Map(elements.map((element) => [textOf(element.key), element]))
  return (key: Uint8Array) => byKey.get(textOf(key))
}
const textOf = (key: Uint8Array) => String.fromCharCode(...key)

/** Where a range begins and where the next key is none of it, in order: the last one at or below the key decides. */
function ranges(elements: readonly NftElement[]) {
  const sorted = elements.toSorted(
    (a, b) => compare(a.key, b.key) || Number(b.isEnd ?? false) - Number(a.isEnd ?? false),
  )
  return (key: Uint8Array) => {
    let low = 0
    for (let high = sorted.length; low < high;) {
      const middle = (low + high) >> 1
      if (compare(sorted[middle]!.key, key) <= 0) low = middle + 1
      else high = middle
    }
    const last = sorted[low - 1]
    return last === undefined || last.isEnd ? undefined : last
  }
}

/** Each part of the key lies within its own range. The kernel takes the first of several; so do we. */
function concatenated({ keyLengths }: NftSet, elements: readonly NftElement[]) {
  const offsets = keyLengths.map((_, i) => keyLengths.slice(0, i).reduce((sum, length) => sum + length, 0))
  const holds = ({ key: first, keyEnd: last = first }: NftElement, key: Uint8Array) =>
    keyLengths.every((length, i) => {
      const part = (bytes: Uint8Array) => bytes.subarray(offsets[i], offsets[i]! + length)
      return compare(part(first), part(key)) <= 0 && compare(part(key), part(last)) <= 0
    })
  return (key: Uint8Array) => elements.find((element) => holds(element, key))
}

function compare(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length && i < b.length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return a.length - b.length
}
