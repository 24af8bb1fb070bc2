// Which peer a packet is for, by the address that it is going to.

import { parseCidr } from '#lib/cidr.ts'
import type { TunnelPeer } from '#flannel/backend.ts'

/** Where the addresses stand in an IP header. */
export const destinationAt = { 4: 16, 6: 24 } as const
export const sourceAt = { 4: 12, 6: 8 } as const

/** Ranges of all sizes, found by one look for each size that occurs (nearly always one). */
export class PeerTable {
  readonly #byPrefix: readonly { readonly prefix: number; readonly peers: ReadonlyMap<number | string, number> }[]

  /** No two ranges overlap; what is found is a place in `peers`. */
  constructor(peers: readonly TunnelPeer[]) {
    const byPrefix = new Map<number, Map<number | string, number>>()
    for (const [place, { subnet }] of peers.entries()) {
      const range = parseCidr(subnet)
      if (range === undefined) continue
      const { base, prefix } = range
      const some = byPrefix.get(prefix) ?? new Map<number | string, number>()
      byPrefix.set(prefix, some.set(keyOf(base, 0, prefix, base.length === 4), place))
    }
    this.#byPrefix = [...byPrefix].map(([prefix, some]) => ({ prefix, peers: some }))
  }

  /** The peer for the address at `at`; -1: none. */
  find(bytes: Uint8Array, at: number, isV4: boolean): number {
    for (const { prefix, peers } of this.#byPrefix) {
      const found = peers.get(keyOf(bytes, at, prefix, isV4))
      if (found !== undefined) return found
    }
    return -1
  }
}

/** The first `prefix` bits of an address: a number for IPv4, a text for IPv6. */
function keyOf(bytes: Uint8Array, at: number, prefix: number, isV4: boolean): number | string {
  if (isV4) {
    const word = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
    return prefix === 0 ? 0 : word & (-1 << (32 - prefix))
  }
  let key = ''
  for (let bit = 0; bit < prefix; bit += 8) {
    const byte = bytes[at + bit / 8]!
    key += String.fromCharCode(prefix - bit >= 8 ? byte : byte & (0xff00 >> (prefix - bit)))
  }
  return key
}
