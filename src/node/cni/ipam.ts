// Which address a pod gets: host-local's rule. Addresses are given round robin from the one after the last, so that an
// address that was just given back rests as long as possible. The first address of a range is its gateway's.

import { formatIp, type Ip } from '#lib/ip.ts'
import { addToIp, compareBytes, parseIp } from '#lib/ip.ts'
import { sizeOf } from '#lib/cidr.ts'
import type { Range } from '#node/cni/network.ts'

/** Free addresses in the order in which they are to be tried. */
export function* candidates({ cidr, gateway }: Range, last: Ip | undefined): Generator<Ip> {
  // The network's own address is never given, nor is the broadcast address of an IPv4 network.
  const isV4 = cidr.base.length === 4
  const places = sizeOf(cidr) - (isV4 ? 2 : 1)
  const start = placeAfter(cidr.base, last, places)
  for (let n = 0; n < places; n++) {
    const ip = formatIp(addToIp(cidr.base, 1 + ((start + n) % places)))
    if (ip !== gateway) yield ip
  }
}

/** The place (from 0) after `last`, counted from the first usable address. */
function placeAfter(base: Uint8Array, last: Ip | undefined, places: number): number {
  const bytes = last === undefined ? undefined : parseIp(last)
  if (bytes === undefined || bytes.length !== base.length || compareBytes(bytes, base) <= 0) return 0
  const distance = bytes.reduce((sum, byte, at) => sum * 256 + byte - base[at]!, 0)
  return distance > places ? 0 : distance % places
}
