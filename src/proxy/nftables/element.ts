// The elements of the table's sets, as bytes.
import { hostNumber } from '#kernel/nftables/expression.ts'
import { type Cidr, masked, parseCidr } from '#lib/cidr.ts'
import { type Ip, parseIp, putIpv4 } from '#lib/ip.ts'
import type { Family, Protocol } from '#proxy/state.ts'

export type Element = {
  readonly set: string
  readonly key: Uint8Array
  /** the last key of a range */
  readonly end?: Uint8Array
  readonly data?: Uint8Array
  readonly comment?: Uint8Array
}

/** The same text for elements of the same set and key. */
export function elementId({ set, key, end }: Element): string {
  const range = end === undefined ? '' : `-${String.fromCharCode(...end)}`
  return `${set} ${String.fromCharCode(...key)}${range}`
}

const protocolNumbers: Readonly<Record<Protocol, number>> = { tcp: 6, udp: 17, sctp: 132 }
/** Of an address that is on its way through a foreign API server and is none after all, nothing is made. */
export const addressBytes = (ip: Ip, family: Family): Uint8Array => parseIp(ip) ?? new Uint8Array(family === 4 ? 4 : 16)

/** The same into a longer key or value. */
function putAddress(bytes: Uint8Array, ip: Ip, family: Family): void {
  if (family === 6) bytes.set(addressBytes(ip, family))
  else if (!putIpv4(ip, bytes, 0)) bytes.fill(0, 0, 4)
}

/** address . protocol . port, each in registers of its own; without an address that of NodePorts: zeros */
export function tupleOf(ip: Ip | undefined, protocol: Protocol, port: number, family: Family): Uint8Array {
  const length = family === 4 ? 4 : 16
  const bytes = new Uint8Array(length + 8)
  if (ip !== undefined) putAddress(bytes, ip, family)
  bytes[length] = protocolNumbers[protocol]
  bytes[length + 4] = port >> 8
  bytes[length + 5] = port & 255
  return bytes
}

/** `tcp/30080` for the key of a NodePort; undefined for other front ends. */
export function nodePortOf(tuple: Uint8Array): string | undefined {
  const at = tuple.length - 8
  if (tuple.subarray(0, at).some((byte) => byte !== 0)) return undefined
  const protocol = Object.entries(protocolNumbers).find(([, number]) => number === tuple[at])?.[0]
  return `${protocol}/${tuple[at + 4]! * 256 + tuple[at + 5]!}`
}

/** tuple . index */
export function indexed(tuple: Uint8Array, index: number): Uint8Array {
  const bytes = new Uint8Array(tuple.length + 4)
  bytes.set(tuple)
  putIndex(bytes, index)
  return bytes
}

/** Changes the index of such a key. */
export function putIndex(bytes: Uint8Array, index: number): void {
  const at = bytes.length - 4
  bytes[at] = index & 255
  bytes[at + 1] = (index >>> 8) & 255
  bytes[at + 2] = (index >>> 16) & 255
  bytes[at + 3] = index >>> 24
}

/** Room for address . port. */
export const emptyEndpoint = (family: Family): Uint8Array => new Uint8Array(family === 4 ? 8 : 20)

/** address . port */
export function putEndpoint(bytes: Uint8Array, ip: Ip, port: number, family: Family): void {
  putAddress(bytes, ip, family)
  const at = bytes.length - 4
  bytes[at] = port >> 8
  bytes[at + 1] = port & 255
}

/** 0 . number: the first word is never read */
export function padded(number: number): Uint8Array {
  const bytes = new Uint8Array(8)
  bytes.set(hostNumber(number), 4)
  return bytes
}

/** 0 . tuple */
export function paddedTuple(tuple: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(tuple.length + 4)
  bytes.set(tuple, 4)
  return bytes
}

export const concat = (a: Uint8Array, b: Uint8Array): Uint8Array => {
  const bytes = new Uint8Array(a.length + b.length)
  bytes.set(a)
  bytes.set(b, a.length)
  return bytes
}

/** Ranges that lie in another one are left out: the kernel takes none twice. First and last address of each. */
export function rangeBounds(cidrs: readonly string[]): { readonly first: Uint8Array; readonly last: Uint8Array }[] {
  const parsed = cidrs.flatMap((text) => parseCidr(text) ?? [])
  const isInside = (inner: Cidr, at: number) =>
    parsed.some((outer, i) => {
      if (i === at || outer.prefix > inner.prefix) return false
      const base = masked(inner.base, outer.prefix)
      const isSame = base.every((byte, k) => byte === outer.base[k])
      return isSame && (outer.prefix < inner.prefix || i < at)
    })
  return parsed
    .filter((cidr, at) => !isInside(cidr, at))
    .map(({ base, prefix }) => ({ first: base, last: base.map((byte, i) => byte | hostByte(prefix - 8 * i)) }))
}
const hostByte = (bits: number) => (bits >= 8 ? 0 : bits <= 0 ? 255 : 255 >> bits)
