// DNS messages: bytes to values and back (RFC 1035 section 4, RFC 6891). `decode` never throws, whatever the bytes.

import { MessageWriter } from '#dns/wire/message-writer.ts'
import { decodeName } from '#dns/wire/name.ts'
import { recordTypes, type RecordData, type ResourceRecord } from '#dns/wire/record.ts'

export const rcodes = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  BADVERS: 16,
} as const
export type RcodeName = keyof typeof rcodes

export type Question = { readonly name: string; readonly type: number; readonly class: number }

/** What a message's OPT record says. */
export type Edns = {
  readonly udpSize: number
  readonly version: number
  readonly dnssecOk: boolean
  readonly options: readonly { readonly code: number; readonly bytes: Uint8Array }[]
}

export type Message = {
  readonly id: number
  readonly response: boolean
  readonly opcode: number
  readonly authoritative: boolean
  readonly truncated: boolean
  readonly recursionDesired: boolean
  readonly recursionAvailable: boolean
  readonly checkingDisabled: boolean
  /** the extended code where there is EDNS */
  readonly rcode: number
  readonly questions: readonly Question[]
  readonly answers: readonly ResourceRecord[]
  readonly authorities: readonly ResourceRecord[]
  /** without OPT */
  readonly additionals: readonly ResourceRecord[]
  readonly edns?: Edns
}

/** What a client asks of a resolver: one question, nothing known yet. */
export const queryMessage = (id: number, question: Question, edns?: Edns): Message => ({
  id,
  response: false,
  opcode: 0,
  authoritative: false,
  truncated: false,
  recursionDesired: true,
  recursionAvailable: false,
  checkingDisabled: false,
  rcode: 0,
  questions: [question],
  answers: [],
  authorities: [],
  additionals: [],
  ...(edns && { edns }),
})

const headerBytes = 12

/** The message in `bytes`, or undefined where they hold none. */
export function decodeMessage(bytes: Uint8Array): Message | undefined {
  if (bytes.length < headerBytes) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const flags = view.getUint16(2)
  const questions: Question[] = []
  let at = headerBytes
  for (let i = view.getUint16(4); i > 0; i--) {
    const name = decodeName(bytes, at)
    if (name === undefined || name.end + 4 > bytes.length) return undefined
    questions.push({ name: name.text, type: view.getUint16(name.end), class: view.getUint16(name.end + 2) })
    at = name.end + 4
  }
  const sections: ResourceRecord[][] = [[], [], []]
  let edns: Edns | undefined
  let extendedRcode = 0
  for (const [index, section] of sections.entries()) {
    for (let i = view.getUint16(6 + 2 * index); i > 0; i--) {
      const name = decodeName(bytes, at)
      if (name === undefined || name.end + 10 > bytes.length) return undefined
      const type = view.getUint16(name.end)
      const start = name.end + 10
      const end = start + view.getUint16(name.end + 8)
      if (end > bytes.length) return undefined
      if (type === recordTypes.OPT) {
        if (edns !== undefined || index !== 2 || name.text !== '') return undefined
        const options = decodeOptions(bytes.subarray(start, end))
        if (options === undefined) return undefined
        const ttl = view.getUint32(name.end + 4)
        extendedRcode = ttl >>> 24
        edns = {
          udpSize: view.getUint16(name.end + 2),
          version: (ttl >>> 16) & 0xff,
          dnssecOk: (ttl & 0x8000) !== 0,
          options,
        }
      } else {
        const data = decodeData(bytes, type, start, end)
        if (data === undefined) return undefined
        const ttl = view.getUint32(name.end + 4)
        section.push({
          name: name.text,
          type,
          class: view.getUint16(name.end + 2),
          ttl: ttl > 0x7fffffff ? 0 : ttl,
          data,
        })
      }
      at = end
    }
  }
  return {
    id: view.getUint16(0),
    response: (flags & 0x8000) !== 0,
    opcode: (flags >> 11) & 0xf,
    authoritative: (flags & 0x400) !== 0,
    truncated: (flags & 0x200) !== 0,
    recursionDesired: (flags & 0x100) !== 0,
    recursionAvailable: (flags & 0x80) !== 0,
    checkingDisabled: (flags & 0x10) !== 0,
    rcode: (extendedRcode << 4) | (flags & 0xf),
    questions,
    answers: sections[0]!,
    authorities: sections[1]!,
    additionals: sections[2]!,
    ...(edns === undefined ? {} : { edns }),
  }
}

/** A copy, also where the bytes are a Buffer, whose own slice shares memory. */
const copyOf = (bytes: Uint8Array, start: number, end: number) => new Uint8Array(bytes.subarray(start, end))

function decodeOptions(bytes: Uint8Array): Edns['options'] | undefined {
  const options: { code: number; bytes: Uint8Array }[] = []
  for (let at = 0; at < bytes.length;) {
    if (at + 4 > bytes.length) return undefined
    const end = at + 4 + ((bytes[at + 2]! << 8) | bytes[at + 3]!)
    if (end > bytes.length) return undefined
    options.push({ code: (bytes[at]! << 8) | bytes[at + 1]!, bytes: copyOf(bytes, at + 4, end) })
    at = end
  }
  return options
}

function decodeData(bytes: Uint8Array, type: number, start: number, end: number): RecordData | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const whole = (at: number) => {
    const name = decodeName(bytes, at, end)
    return name?.end === end ? name.text : undefined
  }
  switch (type) {
    case recordTypes.A:
    case recordTypes.AAAA:
      return end - start === (type === recordTypes.A ? 4 : 16)
        ? { kind: 'address', bytes: copyOf(bytes, start, end) }
        : undefined
    case recordTypes.CNAME:
    case recordTypes.NS:
    case recordTypes.PTR: {
      const target = whole(start)
      return target === undefined ? undefined : { kind: 'name', target }
    }
    case recordTypes.SRV: {
      const target = end - start > 6 ? whole(start + 6) : undefined
      if (target === undefined) return undefined
      const [priority, weight, port] = [view.getUint16(start), view.getUint16(start + 2), view.getUint16(start + 4)]
      return { kind: 'srv', priority, weight, port, target }
    }
    case recordTypes.MX: {
      const target = end - start > 2 ? whole(start + 2) : undefined
      return target === undefined ? undefined : { kind: 'mx', preference: view.getUint16(start), target }
    }
    case recordTypes.SOA: {
      const mname = decodeName(bytes, start, end)
      const rname = mname && decodeName(bytes, mname.end, end)
      if (mname === undefined || rname === undefined || rname.end + 20 !== end) return undefined
      const [serial, refresh, retry, expire, minimum] = [0, 4, 8, 12, 16].map((offset) =>
        view.getUint32(rname.end + offset),
      )
      return {
        kind: 'soa',
        soa: {
          mname: mname.text,
          rname: rname.text,
          serial: serial!,
          refresh: refresh!,
          retry: retry!,
          expire: expire!,
          minimum: minimum!,
        },
      }
    }
    default:
      return { kind: 'opaque', bytes: copyOf(bytes, start, end) }
  }
}

const writer = new MessageWriter()

/** The wire form, names compressed. A name that is no name throws: the caller made it. */
export function encodeMessage(message: Message): Uint8Array {
  writer.start(0)
  writer.uint16(message.id)
  writer.uint16(
    (message.response ? 0x8000 : 0) |
      (message.opcode << 11) |
      (message.authoritative ? 0x400 : 0) |
      (message.truncated ? 0x200 : 0) |
      (message.recursionDesired ? 0x100 : 0) |
      (message.recursionAvailable ? 0x80 : 0) |
      (message.checkingDisabled ? 0x10 : 0) |
      (message.rcode & 0xf),
  )
  writer.uint16(message.questions.length)
  writer.uint16(message.answers.length)
  writer.uint16(message.authorities.length)
  writer.uint16(message.additionals.length + (message.edns === undefined ? 0 : 1))
  for (const question of message.questions) {
    writer.name(question.name)
    writer.uint16(question.type)
    writer.uint16(question.class)
  }
  for (const record of [...message.answers, ...message.authorities, ...message.additionals])
    encodeRecord(writer, record)
  if (message.edns !== undefined) encodeOpt(writer, message.edns, message.rcode)
  return writer.bytes.slice(0, writer.length)
}

/** Writes one record at the writer's place. */
export function encodeRecord(writer: MessageWriter, record: ResourceRecord): void {
  writer.name(record.name)
  writer.uint16(record.type)
  writer.uint16(record.class)
  writer.uint32(record.ttl)
  const lengthAt = writer.length
  writer.uint16(0)
  const { data } = record
  switch (data.kind) {
    case 'address':
    case 'opaque':
      writer.raw(data.bytes)
      break
    case 'name':
      writer.name(data.target)
      break
    case 'srv':
      writer.uint16(data.priority)
      writer.uint16(data.weight)
      writer.uint16(data.port)
      // RFC 2782: the target is not to be compressed.
      writer.name(data.target, false)
      break
    case 'mx':
      writer.uint16(data.preference)
      writer.name(data.target)
      break
    case 'txt':
      for (const text of data.texts) {
        const bytes = new TextEncoder().encode(text).subarray(0, 255)
        writer.raw(Uint8Array.of(bytes.length))
        writer.raw(bytes)
      }
      break
    case 'soa':
      writer.name(data.soa.mname)
      writer.name(data.soa.rname)
      for (const number of [data.soa.serial, data.soa.refresh, data.soa.retry, data.soa.expire, data.soa.minimum])
        writer.uint32(number >>> 0)
  }
  writer.patch16(lengthAt, writer.length - lengthAt - 2)
}

/** Writes the OPT record of a reply (RFC 6891 section 6.1). */
export function encodeOpt(writer: MessageWriter, edns: Edns, rcode: number): void {
  writer.raw(Uint8Array.of(0))
  writer.uint16(recordTypes.OPT)
  writer.uint16(edns.udpSize)
  writer.uint32(((rcode >> 4) << 24) | (edns.version << 16) | (edns.dnssecOk ? 0x8000 : 0))
  writer.uint16(edns.options.reduce((sum, option) => sum + 4 + option.bytes.length, 0))
  for (const option of edns.options) {
    writer.uint16(option.code)
    writer.uint16(option.bytes.length)
    writer.raw(option.bytes)
  }
}
