// The reply to a query: a body that is rendered once, and what is written around it each time.

import type { Query, QueryEdns } from '#dns/query.ts'
import { encodeOpt, encodeRecord, type Edns } from '#dns/wire/message.ts'
import { MessageWriter } from '#dns/wire/message-writer.ts'
import type { ResourceRecord } from '#dns/wire/record.ts'

const headerBytes = 12
/** Type and class of the question, behind its name. */
const questionTailBytes = 4

/** What follows the question of a reply, rendered once and sent many times. It fits after that question only. */
export type Body = {
  readonly rcode: number
  readonly authoritative: boolean
  /** answers, authorities and additionals, without OPT: from `start` to `end` */
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
  readonly counts: readonly [answers: number, authorities: number, additionals: number]
  /** the answers are equal in size and may be sent in any order */
  readonly shuffled: boolean
  /** seconds that have gone since the times to live were as they stand here */
  readonly age: number
}

export type Sections = {
  readonly answers?: readonly ResourceRecord[]
  readonly authorities?: readonly ResourceRecord[]
  readonly additionals?: readonly ResourceRecord[]
  /** answers go out as they stand; else addresses go out in another order each time, so that clients spread over them */
  readonly inOrder?: boolean
}

const writer = new MessageWriter()

/**
 * Renders the sections that answer a question about `name`, names compressed against it. The bytes stand until the next
 * body is rendered.
 */
export function renderBody(name: string, rcode: number, authoritative: boolean, sections: Sections): Body {
  const { answers = [], authorities = [], additionals = [], inOrder = false } = sections
  writer.start(headerBytes)
  writer.name(name)
  const start = (writer.length += questionTailBytes)
  for (const record of answers) encodeRecord(writer, record)
  for (const record of authorities) encodeRecord(writer, record)
  for (const record of additionals) encodeRecord(writer, record)
  const { bytes, length: end } = writer
  const counts = [answers.length, authorities.length, additionals.length] as const
  return { rcode, authoritative, bytes, start, end, counts, shuffled: !inOrder && isShuffled(answers), age: 0 }
}

/** Addresses of one kind under one name, which stands in the question. */
const isShuffled = (answers: readonly ResourceRecord[]): boolean =>
  answers.length > 1 &&
  answers.every(
    ({ name, type, data }) => data.kind === 'address' && name === answers[0]!.name && type === answers[0]!.type,
  )

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
  const { questionEnd, edns } = query
  const opt = edns === undefined ? undefined : renderOpt(edns, body.rcode, limit - questionEnd)
  const room = Math.min(limit, out.length) - questionEnd - (opt?.length ?? 0)
  let [answers, authorities, additionals] = body.counts
  let length = body.end - body.start
  let truncated = false
  if (length > room) {
    const cut = cutTo(room, body)
    truncated = cut.answers < answers
    answers = cut.answers
    authorities = 0
    additionals = 0
    length = cut.length
  }
  for (let i = 0; i < questionEnd; i++) out[i] = request[i]!
  writeHeader(out, request, body.rcode, body.authoritative, truncated)
  writeCounts(out, answers, authorities, additionals + (opt === undefined ? 0 : 1))
  if (body.shuffled) copyShuffled(body, length, rotate, out, questionEnd)
  else copy(body.bytes, body.start, body.start + length, out, questionEnd)
  const end = questionEnd + length
  if (body.age > 0) age(out, questionEnd, answers + authorities + additionals, body.age)
  if (opt !== undefined) copy(opt, 0, opt.length, out, end)
  return end + (opt?.length ?? 0)
}

/** How many whole answers fit, and their length. */
function cutTo(room: number, { bytes, start, counts }: Body): { readonly answers: number; readonly length: number } {
  let at = start
  for (let answers = 0; answers < counts[0]; answers++) {
    const end = recordEnd(bytes, at)
    if (end - start > room) return { answers, length: at - start }
    at = end
  }
  return { answers: counts[0], length: at - start }
}

/** Where the name of the record at `at` ends, which this server has written itself. */
function nameEnd(bytes: Uint8Array, at: number): number {
  while (bytes[at] !== 0) {
    if (bytes[at]! >= 0xc0) return at + 2
    at += bytes[at]! + 1
  }
  return at + 1
}

function recordEnd(bytes: Uint8Array, at: number): number {
  const end = nameEnd(bytes, at)
  return end + 10 + ((bytes[end + 8]! << 8) | bytes[end + 9]!)
}

/** Counts the times to live of the records from `at` on down, to 0 at the least. */
function age(out: Uint8Array, at: number, records: number, seconds: number): void {
  for (let i = 0; i < records; i++) {
    const ttlAt = nameEnd(out, at) + 4
    const ttl = (out[ttlAt]! << 24) | (out[ttlAt + 1]! << 16) | (out[ttlAt + 2]! << 8) | out[ttlAt + 3]!
    const left = Math.max(0, ttl - seconds)
    out[ttlAt] = left >> 24
    out[ttlAt + 1] = left >> 16
    out[ttlAt + 2] = left >> 8
    out[ttlAt + 3] = left
    at = ttlAt + 6 + ((out[ttlAt + 4]! << 8) | out[ttlAt + 5]!)
  }
}

/** The answers as a ring, from the chosen one on: where some do not fit, others are left out each time. */
function copyShuffled(
  { bytes, start, end, counts }: Body,
  length: number,
  rotate: number,
  out: Uint8Array,
  at: number,
) {
  const size = recordEnd(bytes, start) - start
  const all = counts[0] * size
  const split = (rotate % counts[0]) * size
  const sent = Math.min(length, all)
  const first = Math.min(sent, all - split)
  copy(bytes, start + split, start + split + first, out, at)
  copy(bytes, start, start + sent - first, out, at + first)
  if (length > sent) copy(bytes, start + sent, end, out, at + sent)
}

/** Few bytes are copied sooner than they are asked to copy themselves. */
function copy(from: Uint8Array, start: number, end: number, out: Uint8Array, at: number): void {
  if (end - start > 96) out.set(from.subarray(start, end), at)
  else for (let i = start; i < end; i++) out[at + i - start] = from[i]!
}

/** A reply of a code alone. The question is left out where it could not be read. */
export function writeRejection(request: Uint8Array, rcode: number, out: Uint8Array): number {
  out.set(request.subarray(0, 12))
  writeHeader(out, request, rcode, false, false)
  out.fill(0, 4, 12)
  return 12
}

function writeCounts(out: Uint8Array, answers: number, authorities: number, additionals: number): void {
  out[4] = 0
  out[5] = 1
  out[6] = answers >> 8
  out[7] = answers
  out[8] = authorities >> 8
  out[9] = authorities
  out[10] = additionals >> 8
  out[11] = additionals
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

/** Rendered OPT records without options, by extended code and DO. */
const plainOpt: Uint8Array[] = []

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
  const index = ((rcode >> 4) << 1) | Number(dnssecOk)
  const known = plainOpt[index]
  if (known !== undefined) return known
  const answer: Edns = { udpSize: ownUdpSize, version: 0, dnssecOk, options: [] }
  const opt = new MessageWriter()
  encodeOpt(opt, answer, rcode)
  return (plainOpt[index] = opt.bytes.slice(0, opt.length))
}
