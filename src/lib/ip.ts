// IP addresses. An address in a data structure is its canonical text (RFC 5952); bytes are for arithmetic and the wire.

/** Canonical text: `10.0.0.1`, `fd00::1`. */
export type Ip = string

/**
 * The 4 or 16 bytes of an address, or undefined where the text is none. As Go's netip: no leading zeros in IPv4 parts,
 * no zone, and `::ffff:1.2.3.4` stays 16 bytes.
 */
export function parseIp(text: string): Uint8Array | undefined {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text)
}

function parseIpv4(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(4)
  return putIpv4(text, bytes, 0) ? bytes : undefined
}

/** Writes the 4 bytes of an IPv4 address from `start` on; false where the text is none. */
export function putIpv4(text: string, bytes: Uint8Array, start: number): boolean {
  let part = -1
  let at = start
  for (let i = 0; i <= text.length; i++) {
    const code = i < text.length ? text.charCodeAt(i) : dot
    if (code === dot) {
      if (part < 0 || at > start + 3) return false
      bytes[at++] = part
      part = -1
    } else if (code >= zero && code <= zero + 9) {
      if (part === 0) return false
      part = Math.max(part, 0) * 10 + code - zero
      if (part > 255) return false
    } else return false
  }
  return at === start + 4
}
const dot = 46
const zero = 48

function parseIpv6(text: string): Uint8Array | undefined {
  const gap = text.indexOf('::')
  if (gap === -1) {
    const all = parseGroups(text, true)
    return all?.length === 16 ? Uint8Array.from(all) : undefined
  }
  const before = parseGroups(text.slice(0, gap), false)
  const after = parseGroups(text.slice(gap + 2), true)
  // `::` stands for one group of zeros at least
  if (before === undefined || after === undefined || before.length + after.length > 14) return undefined
  const bytes = new Uint8Array(16)
  bytes.set(before)
  bytes.set(after, 16 - after.length)
  return bytes
}

function parseGroups(text: string, mayEndInIpv4: boolean): number[] | undefined {
  if (text === '') return []
  const bytes: number[] = []
  const groups = text.split(':')
  for (const [i, group] of groups.entries()) {
    if (/^[0-9a-fA-F]{1,4}$/.test(group)) {
      const value = Number.parseInt(group, 16)
      bytes.push(value >> 8, value & 255)
      continue
    }
    const embedded = mayEndInIpv4 && i === groups.length - 1 ? parseIpv4(group) : undefined
    if (embedded === undefined) return undefined
    bytes.push(...embedded)
  }
  return bytes
}

/** The canonical text of 4 or 16 bytes: lower case, the first longest run of two or more zero groups as `::`. */
export function formatIp(bytes: Uint8Array): Ip {
  if (bytes.length === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`
  if (bytes.length !== 16) throw new Error(`an IP address has 4 or 16 bytes, not ${bytes.length}`)
  const groups = Array.from({ length: 8 }, (_, i) => (bytes[2 * i]! << 8) | bytes[2 * i + 1]!)
  if (groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0))
    return `::ffff:${formatIp(bytes.subarray(12))}`
  const run = longestZeroRun(groups)
  const hex = (from: number, to?: number) =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':')
  return run.length < 2 ? hex(0) : `${hex(0, run.start)}::${hex(run.start + run.length)}`
}

function longestZeroRun(groups: readonly number[]): { readonly start: number; readonly length: number } {
  let best = { start: 0, length: 0 }
  for (let i = 0; i < groups.length; i++) {
    let end = i
    while (groups[end] === 0) end++
    if (end - i > best.length) best = { start: i, length: end - i }
    i = Math.max(i, end)
  }
  return best
}

/** The family that an address is of, or undefined where the text is no address. */
export function ipFamily(text: string): 4 | 6 | undefined {
  if (!text.includes(':')) return isIpv4(text) ? 4 : undefined
  return parseIpv6(text) === undefined ? undefined : 6
}

/** Asked of each endpoint of a cluster: nothing is made on the way. */
const isIpv4 = (text: string): boolean => putIpv4(text, scratch, 0)
const scratch = new Uint8Array(4)

export const isValidIp = (text: string): boolean => parseIp(text) !== undefined

export const isLoopback = (ip: Ip): boolean => ip.startsWith('127.') || ip === '::1'

/** The same address in canonical text, or undefined where the text is no address. */
export function canonicalIp(text: string): Ip | undefined {
  // There is one way only to write an IPv4 address.
  if (!text.includes(':')) return isIpv4(text) ? text : undefined
  const bytes = parseIpv6(text)
  return bytes && formatIp(bytes)
}

/** Order by family, then by number. Both must be addresses. */
export function compareIp(a: Ip, b: Ip): number {
  const left = parseIp(a)
  const right = parseIp(b)
  if (left === undefined || right === undefined) throw new Error(`not IP addresses: ${a}, ${b}`)
  return compareBytes(left, right)
}

/** Shorter first, then by value. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  if (a.length !== b.length) return a.length - b.length
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return 0
}

/** The address `n` further on (or back); wraps around at the end of the family. */
export function addToIp(bytes: Uint8Array, n: number | bigint): Uint8Array {
  const sum = Uint8Array.from(bytes)
  let carry = BigInt(n)
  for (let i = sum.length - 1; i >= 0 && carry !== 0n; i--) {
    carry += BigInt(sum[i]!)
    sum[i] = Number(carry & 255n)
    carry >>= 8n
  }
  return sum
}
