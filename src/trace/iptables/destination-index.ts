// Long chains have a rule for each Service, most of them about one destination: those about another are passed over.

import { canonicalIp } from '#lib/ip.ts'
import type { TracedChain } from '#trace/machine.ts'

type Index = {
  /** places of rules about exactly one address */
  readonly exact: ReadonlyMap<string, readonly number[]>
  /** places of all others */
  readonly others: readonly number[]
}

const indexes = new WeakMap<TracedChain, Index>()
/** Shorter chains are not worth it. */
const shortest = 32

/** The first place from `at` on whose rule may match this destination; the length of the chain where none may. */
export function nextRule(chain: TracedChain, destination: string, at: number): number {
  const { length } = chain.rules
  if (length < shortest) return at
  const { exact, others } = indexOf(chain)
  return Math.min(firstFrom(exact.get(destination) ?? [], at), firstFrom(others, at), length)
}

function indexOf(chain: TracedChain): Index {
  const known = indexes.get(chain)
  if (known !== undefined) return known
  const exact = new Map<string, number[]>()
  const others: number[] = []
  for (const [place, { destination }] of chain.rules.entries()) {
    const [, ip] =
      destination === undefined || destination.not === true
        ? []
        : (/^([^/]+)\/(?:32|128)$/.exec(destination.value) ?? [])
    // 1.2.3.4/32 of IPv4; ::1/128 of IPv6: a shorter prefix is a range.
    const list =
      ip === undefined || (ip.includes(':') && destination!.value.endsWith('/32'))
        ? others
        : (exact.get(canonicalIp(ip) ?? ip) ?? [])
    list.push(place)
    if (list !== others) exact.set(canonicalIp(ip!) ?? ip!, list)
  }
  const index = { exact, others }
  indexes.set(chain, index)
  return index
}

function firstFrom(places: readonly number[], at: number): number {
  let [low, high] = [0, places.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (places[middle]! < at) low = middle + 1
    else high = middle
  }
  return places[low] ?? Number.POSITIVE_INFINITY
}
