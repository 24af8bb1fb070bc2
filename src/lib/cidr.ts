// Ranges of addresses in CIDR form.

import { addToIp, compareBytes, formatIp, parseIp, type Ip } from '#lib/ip.ts'

/** `base` has the bits behind the prefix cleared; its length tells the family. */
export type Cidr = { readonly base: Uint8Array; readonly prefix: number }

/** `10.244.0.0/16`, or undefined where the text is none. Bits behind the prefix are dropped. */
export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf('/')
  const address = slash === -1 ? undefined : parseIp(text.slice(0, slash))
  const digits = text.slice(slash + 1)
  if (address === undefined || !/^(0|[1-9][0-9]{0,2})$/.test(digits)) return undefined
  const prefix = Number(digits)
  return prefix > address.length * 8 ? undefined : { base: masked(address, prefix), prefix }
}

export const formatCidr = ({ base, prefix }: Cidr): string => `${formatIp(base)}/${prefix}`

/** The same range in canonical text, or undefined where the text is none. */
export function canonicalCidr(text: string): string | undefined {
  const cidr = parseCidr(text)
  return cidr && formatCidr(cidr)
}

/** Clears the bits behind the prefix. */
export function masked(address: Uint8Array, prefix: number): Uint8Array {
  return address.map((byte, i) => byte & maskByte(prefix - 8 * i))
}
const maskByte = (bits: number) => (bits >= 8 ? 255 : bits <= 0 ? 0 : (255 << (8 - bits)) & 255)

/** False also for an address of the other family and for a text that is no address. */
export function containsIp(cidr: Cidr, ip: Ip | Uint8Array): boolean {
  const bytes = typeof ip === 'string' ? parseIp(ip) : ip
  if (bytes?.length !== cidr.base.length) return false
  for (let i = 0; 8 * i < cidr.prefix; i++)
    if ((bytes[i]! & maskByte(cidr.prefix - 8 * i)) !== cidr.base[i]) return false
  return true
}

/** Whether all of `inner` lies in `outer`. */
export const containsCidr = (outer: Cidr, inner: Cidr): boolean =>
  inner.prefix >= outer.prefix && containsIp(outer, inner.base)

export const overlaps = (a: Cidr, b: Cidr): boolean => containsCidr(a, b) || containsCidr(b, a)

export const equalCidr = (a: Cidr, b: Cidr): boolean => a.prefix === b.prefix && compareBytes(a.base, b.base) === 0

/** Whether `cidr` lies in another of these, or is the second of two that are the same. */
const isRedundant = (cidr: Cidr, at: number, all: readonly Cidr[]): boolean =>
  all.some((other, i) => i !== at && containsCidr(other, cidr) && (i < at || !equalCidr(other, cidr)))

/**
 * The same addresses in order, as few stretches as there can be: from `start` to before `end`, which is undefined at the end of
 * the family. All must be of one family.
 */
export function stretches(cidrs: readonly Cidr[]): { readonly start: Uint8Array; readonly end?: Uint8Array }[] {
  const sorted = cidrs
    .filter((cidr, at) => !isRedundant(cidr, at, cidrs))
    .toSorted((a, b) => compareBytes(a.base, b.base))
  const found: { readonly start: Uint8Array; readonly end?: Uint8Array }[] = []
  for (const cidr of sorted) {
    const next = addToIp(cidr.base, 1n << BigInt(hostBits(cidr)))
    const last = found.at(-1)
    const start = last?.end !== undefined && compareBytes(last.end, cidr.base) === 0 ? found.pop()!.start : cidr.base
    found.push(next.some((byte) => byte !== 0) ? { start, end: next } : { start })
  }
  return found
}

/** The address at place `n` of the range, counted from its base; negative counts from its end (-1: the last). */
export function hostAt(cidr: Cidr, n: number | bigint): Ip {
  const size = 1n << BigInt(hostBits(cidr))
  const place = BigInt(n) < 0n ? size + BigInt(n) : BigInt(n)
  if (place < 0n || place >= size) throw new Error(`${formatCidr(cidr)} has no address ${n}`)
  return formatIp(addToIp(cidr.base, place))
}

/** The place of an address in the range, counted from its base; undefined where it is outside. */
export function placeOf(cidr: Cidr, ip: Ip): bigint | undefined {
  const bytes = parseIp(ip)
  if (bytes === undefined || !containsIp(cidr, bytes)) return undefined
  return bytes.reduce((sum, byte, i) => (sum << 8n) | BigInt(byte ^ cidr.base[i]!), 0n)
}

/** How many addresses the range has; a rounded number beyond 2^53. */
export const sizeOf = (cidr: Cidr): number => 2 ** hostBits(cidr)

const hostBits = (cidr: Cidr) => cidr.base.length * 8 - cidr.prefix
