// A query as it comes off the wire, read only as far as an answer needs it.

import { decodeName } from '#dns/wire/name.ts'
import { rcodes } from '#dns/wire/message.ts'
import { recordTypes } from '#dns/wire/record.ts'

export type Query = {
  /** normal */
  readonly name: string
  readonly type: number
  readonly class: number
  /** end of the question section */
  readonly questionEnd: number
  readonly edns?: QueryEdns | undefined
  readonly byTcp?: boolean
}

export type QueryEdns = {
  readonly udpSize: number
  readonly version: number
  readonly dnssecOk: boolean
  /** options that go back as they came, on the wire */
  readonly options?: Uint8Array
}

/** `drop`: no query at all, so that no answer may be sent. `reject`: answered with a code alone. */
export type ReadQuery =
  | { readonly kind: 'query'; readonly query: Query }
  | { readonly kind: 'reject'; readonly rcode: number }
  | { readonly kind: 'drop' }

const drop: ReadQuery = { kind: 'drop' }
const formatError: ReadQuery = { kind: 'reject', rcode: rcodes.FORMERR }

/** Reads the query in the first `length` bytes. Never throws. */
export function readQuery(bytes: Uint8Array, length = bytes.length): ReadQuery {
  if (length < 12 || (bytes[2]! & 0x80) !== 0) return drop
  const count = (at: number) => (bytes[at]! << 8) | bytes[at + 1]!
  if (((bytes[2]! >> 3) & 0xf) !== 0) return { kind: 'reject', rcode: rcodes.NOTIMP }
  if (count(4) !== 1 || count(6) > 1 || count(8) > 1 || count(10) > 2) return formatError
  const name = decodeName(bytes, 12, length)
  if (name === undefined || name.end + 4 > length) return formatError
  const questionEnd = name.end + 4
  const edns = readEdns(bytes, questionEnd, length, count(6) + count(8), count(10))
  if (edns === 'bad') return formatError
  const query = {
    name: name.text,
    type: count(name.end),
    class: count(name.end + 2),
    questionEnd,
    ...(edns === undefined ? {} : { edns }),
  }
  return { kind: 'query', query }
}

function readEdns(bytes: Uint8Array, start: number, length: number, skip: number, additionals: number) {
  let at = start
  let found: Query['edns']
  for (let i = 0; i < skip + additionals; i++) {
    const name = decodeName(bytes, at, length)
    if (name === undefined || name.end + 10 > length) return 'bad'
    const word = (offset: number) => (bytes[name.end + offset]! << 8) | bytes[name.end + offset + 1]!
    const end = name.end + 10 + word(8)
    if (end > length) return 'bad'
    if (i >= skip && word(0) === recordTypes.OPT) {
      if (found !== undefined || name.text !== '') return 'bad'
      const options = keptOptions(bytes, name.end + 10, end)
      if (options === 'bad') return 'bad'
      found = {
        udpSize: word(2),
        version: bytes[name.end + 5]!,
        dnssecOk: (bytes[name.end + 6]! & 0x80) !== 0,
        ...(options === undefined ? {} : { options }),
      }
    }
    at = end
  }
  return found
}

/** NSID, EXPIRE, COOKIE, TCP-KEEPALIVE and PADDING go back to the client, as CoreDNS does; others are not understood. */
const keptCodes: readonly number[] = [3, 9, 10, 11, 12]

function keptOptions(bytes: Uint8Array, start: number, end: number): Uint8Array | undefined | 'bad' {
  const kept: number[] = []
  for (let at = start; at < end;) {
    if (at + 4 > end) return 'bad'
    const next = at + 4 + ((bytes[at + 2]! << 8) | bytes[at + 3]!)
    if (next > end) return 'bad'
    if (keptCodes.includes((bytes[at]! << 8) | bytes[at + 1]!)) kept.push(...bytes.subarray(at, next))
    at = next
  }
  return kept.length === 0 ? undefined : Uint8Array.from(kept)
}
