// A query as it comes off the wire, read only as far as an answer needs it, and the reply around a rendered body.

import { decodeName, encodeName } from '#dns/wire/name.ts'
import { createWriter, encodeOpt, encodeRecord, rcodes, type Edns, type MessageWriter } from '#dns/wire/message.ts'
import { recordTypes, type ResourceRecord } from '#dns/wire/record.ts'

export type Query = {
  /** normal */
  readonly name: string
  readonly type: number
  readonly class: number
  /** end of the question section */
  readonly questionEnd: number
  readonly edns?: QueryEdns
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

/** What follows the question of a reply, rendered once and sent many times. It fits after that question only. */
export type Body = {
  readonly rcode: number
  readonly authoritative: boolean
  /** answers, authorities and additionals, without OPT */
  readonly bytes: Uint8Array
  readonly counts: readonly [answers: number, authorities: number, additionals: number]
  /** where each answer ends in `bytes` */
  readonly answerEnds: readonly number[]
  /** the first answers that are equal in size and may be sent in any order */
  readonly shuffle?: { readonly count: number; readonly size: number }
}

export type Sections = {
  readonly answers?: readonly ResourceRecord[]
  readonly authorities?: readonly ResourceRecord[]
  readonly additionals?: readonly ResourceRecord[]
  /** answers go out as they stand; else addresses go out in another order each time, so that clients spread over them */
  readonly inOrder?: boolean
}

/** Renders the sections that answer a question about `name`, names compressed against it. */
export function renderBody(name: string, rcode: number, authoritative: boolean, sections: Sections): Body {
  const question = encodeName(name)
  if (question === undefined) throw new Error(`not a domain name: ${JSON.stringify(name)}`)
  const writer = createWriter(256, 12 + question.length + 4, suffixOffsets(name, question))
  const answerEnds: number[] = []
  for (const record of sections.answers ?? []) {
    encodeRecord(writer, record)
    answerEnds.push(writer.length())
  }
  for (const record of [...(sections.authorities ?? []), ...(sections.additionals ?? [])]) encodeRecord(writer, record)
  const shuffle = sections.inOrder ? undefined : shuffleOf(sections.answers ?? [], answerEnds)
  return {
    rcode,
    authoritative,
    bytes: writer.done(),
    counts: [answerEnds.length, sections.authorities?.length ?? 0, sections.additionals?.length ?? 0],
    answerEnds,
    ...(shuffle === undefined ? {} : { shuffle }),
  }
}

function suffixOffsets(name: string, wire: Uint8Array): Map<string, number> {
  const offsets = new Map<string, number>()
  let rest = name
  for (let at = 0; wire[at] !== 0; at += wire[at]! + 1) {
    offsets.set(rest, 12 + at)
    const dot = rest.indexOf('.')
    rest = dot === -1 ? '' : rest.slice(dot + 1)
  }
  return offsets
}

function shuffleOf(answers: readonly ResourceRecord[], ends: readonly number[]): Body['shuffle'] {
  if (answers.length < 2) return undefined
  const size = ends[0]!
  const same = answers.every((answer, i) => answer.data.kind === 'address' && ends[i] === size * (i + 1))
  return same ? { count: answers.length, size } : undefined
}

/** Largest reply that is sent by UDP to a client that names a larger size: safe on every path (flag day 2020). */
export const ownUdpSize = 1232

/** Bytes that a reply may have: by UDP what the client can take, by TCP what a length prefix can say. */
export function replyLimit(query: Query, transport: 'udp' | 'tcp'): number {
  if (transport === 'tcp') return 65535
  return Math.max(512, query.edns?.udpSize ?? 512)
}

/**
 * Writes the reply to `query` into `out` and returns its length. `rotate` says which of the shuffled answers comes
 * first. Additional records go first, then answers from the end, and TC is set, where the reply would not fit.
 */
export function writeReply(
  request: Uint8Array,
  query: Query,
  body: Body,
  limit: number,
  rotate: number,
  out: Uint8Array,
): number {
  const { questionEnd } = query
  const opt = query.edns === undefined ? undefined : renderOpt(query.edns, body.rcode, limit - questionEnd)
  const room = Math.min(limit, out.length) - questionEnd - (opt?.length ?? 0)
  let [answers, authorities, additionals] = body.counts
  let bodyEnd = body.bytes.length
  let truncated = false
  if (bodyEnd > room) {
    authorities = 0
    additionals = 0
    bodyEnd = body.answerEnds.at(-1) ?? 0
    while (answers > 0 && bodyEnd > room) {
      truncated = true
      answers--
      bodyEnd = answers === 0 ? 0 : body.answerEnds[answers - 1]!
    }
  }
  out.set(request.subarray(0, questionEnd))
  writeHeader(out, request, body.rcode, body.authoritative, truncated)
  for (const [index, count] of [1, answers, authorities, additionals + (opt === undefined ? 0 : 1)].entries()) {
    out[4 + 2 * index] = count >> 8
    out[5 + 2 * index] = count
  }
  copyBody(body, bodyEnd, rotate, out, questionEnd)
  if (opt !== undefined) out.set(opt, questionEnd + bodyEnd)
  return questionEnd + bodyEnd + (opt?.length ?? 0)
}

function copyBody(body: Body, end: number, rotate: number, out: Uint8Array, at: number): void {
  const { shuffle } = body
  if (shuffle === undefined) {
    out.set(end === body.bytes.length ? body.bytes : body.bytes.subarray(0, end), at)
    return
  }
  // The answers as a ring, from the chosen one on: where some do not fit, others are left out each time.
  const { count, size } = shuffle
  const split = (rotate % count) * size
  const sent = Math.min(end, count * size)
  const first = Math.min(sent, count * size - split)
  out.set(body.bytes.subarray(split, split + first), at)
  out.set(body.bytes.subarray(0, sent - first), at + first)
  if (end > sent) out.set(body.bytes.subarray(sent, end), at + sent)
}

/** A reply of a code alone. The question is left out where it could not be read. */
export function writeRejection(request: Uint8Array, rcode: number, out: Uint8Array): number {
  out.set(request.subarray(0, 12))
  writeHeader(out, request, rcode, false, false)
  out.fill(0, 4, 12)
  return 12
}

function writeHeader(
  out: Uint8Array,
  request: Uint8Array,
  rcode: number,
  authoritative: boolean,
  truncated: boolean,
): void {
  // Opcode and RD as asked; RA set, since names outside are forwarded; Z, AD clear; CD as asked.
  out[2] = 0x80 | (request[2]! & 0x79) | (authoritative ? 4 : 0) | (truncated ? 2 : 0)
  out[3] = 0x80 | (request[3]! & 0x10) | (rcode & 0xf)
}

const plainOpt = new Map<string, Uint8Array>()

/** Without the options where there is no room for them. */
function renderOpt(edns: QueryEdns, rcode: number, room: number): Uint8Array {
  const plain = renderPlainOpt(edns.dnssecOk, rcode)
  const { options } = edns
  if (options === undefined || plain.length + options.length > room) return plain
  const opt = new Uint8Array(plain.length + options.length)
  opt.set(plain)
  opt.set([options.length >> 8, options.length], plain.length - 2)
  opt.set(options, plain.length)
  return opt
}

function renderPlainOpt(dnssecOk: boolean, rcode: number): Uint8Array {
  const key = `${dnssecOk} ${rcode >> 4}`
  const known = plainOpt.get(key)
  if (known !== undefined) return known
  const writer: MessageWriter = createWriter(11)
  const answer: Edns = { udpSize: ownUdpSize, version: 0, dnssecOk, options: [] }
  encodeOpt(writer, answer, rcode)
  const bytes = writer.done()
  plainOpt.set(key, bytes)
  return bytes
}
