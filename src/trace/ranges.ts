// Addresses against ranges, fast: rules ask the same ranges again and again.

import { containsIp, parseCidr, type Cidr } from '#lib/cidr.ts'
import { compareBytes, parseIp } from '#lib/ip.ts'

const cidrs = new Map<string, Cidr | undefined>()
const addresses = new Map<string, Uint8Array | undefined>()
const mostKept = 50_000

function kept<T>(cache: Map<string, T>, key: string, make: (key: string) => T): T {
  const known = cache.get(key)
  if (known !== undefined || cache.has(key)) return known as T
  if (cache.size > mostKept) cache.clear()
  const made = make(key)
  cache.set(key, made)
  return made
}

export const addressBytes = (ip: string): Uint8Array | undefined => kept(addresses, ip, parseIp)

/** Whether the range (`10.0.0.0/8`, `10.0.0.1`, `10.0.0.0/255.0.255.0`) has the address; undefined where it is none. */
export function rangeHas(range: string, ip: string): boolean | undefined {
  // Most ranges of most rules are one address.
  if (range.endsWith('/32') && range.length === ip.length + 3 && range.startsWith(ip)) return true
  if (range === ip) return true
  const cidr = kept(cidrs, range, readRange)
  if (cidr !== undefined) {
    const bytes = addressBytes(ip)
    return bytes !== undefined && containsIp(cidr, bytes)
  }
  return hasByMask(range, ip)
}

const readRange = (text: string): Cidr | undefined =>
  parseCidr(text.includes('/') ? text : `${text}/${text.includes(':') ? 128 : 32}`)

/** A mask of bits that do not stand together: `10.0.0.1/255.0.0.255`. */
function hasByMask(range: string, ip: string): boolean | undefined {
  const [base, mask] = range.split('/').map((text) => parseIp(text))
  if (base === undefined || mask === undefined || base.length !== mask.length) return undefined
  const bytes = addressBytes(ip)
  return bytes?.length === base.length && bytes.every((byte, i) => (byte & mask[i]!) === (base[i]! & mask[i]!))
}

/** `10.0.0.1-10.0.0.9` */
export function spanHas(span: string, ip: string): boolean | undefined {
  const [first, last] = span.split('-').map((text) => parseIp(text))
  const bytes = addressBytes(ip)
  if (first === undefined || last === undefined || bytes === undefined) return undefined
  return bytes.length === first.length && compareBytes(first, bytes) <= 0 && compareBytes(bytes, last) <= 0
}
