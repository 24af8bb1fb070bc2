// The addresses of one service CIDR: which there are, which are taken.

import { bandOf, pickPlace, type Random, type Range } from '#apiserver/allocate/band.ts'
import { containsIp, formatCidr, hostAt, sizeOf, type Cidr } from '#lib/cidr.ts'

/** Places are numbers, so of a larger IPv6 CIDR only the first 2^48 addresses are handed out unasked. */
const mostPlaces = 2 ** 48

export class AddressRange {
  readonly cidr: Cidr
  readonly #range: Range
  readonly #network: string
  readonly #broadcast: string | undefined

  constructor(cidr: Cidr) {
    this.cidr = cidr
    const isIpv4 = cidr.base.length === 4
    const total = sizeOf(cidr)
    // Neither the network's own address nor, in IPv4, the broadcast address is given to a Service.
    const size = Math.max(0, Math.min(total, mostPlaces) - (isIpv4 ? 2 : 1))
    this.#range = { size, band: bandOf(total, { least: 16, most: 256, share: 16 }) }
    this.#network = hostAt(cidr, 0)
    this.#broadcast = isIpv4 ? hostAt(cidr, -1) : undefined
  }

  get text(): string {
    return formatCidr(this.cidr)
  }
  get size(): number {
    return this.#range.size
  }
  get family(): 'IPv4' | 'IPv6' {
    return this.cidr.base.length === 4 ? 'IPv4' : 'IPv6'
  }
  contains(ip: string): boolean {
    return ip !== this.#network && ip !== this.#broadcast && containsIp(this.cidr, ip)
  }
  /** An address that is not taken; undefined when the range is full. Does not take it. */
  pick(isTaken: (ip: string) => boolean, random: Random): string | undefined {
    const place = pickPlace(this.#range, (place) => isTaken(hostAt(this.cidr, place + 1)), random)
    return place === undefined ? undefined : hostAt(this.cidr, place + 1)
  }
}
