// Connections as the kernel tracks them, to bytes and back (linux/netfilter/nfnetlink_conntrack.h).
import { encodeHeader, headerLength } from '#kernel/netfilter/subsystem.ts'
import { decodeAttributes, readU16be, readU32be, readU8 } from '#kernel/netlink/message.ts'
import type { MessageWriter } from '#kernel/netlink/message-writer.ts'
import { formatIp, parseIp } from '#lib/ip.ts'

/** One direction of a flow. */
export type Tuple = {
  readonly source: string
  readonly destination: string
  /** IP protocol number: 6 TCP, 17 UDP */
  readonly protocol: number
  /** 0 for protocols without ports */
  readonly sourcePort: number
  readonly destinationPort: number
}

export type Flow = {
  readonly original: Tuple
  /** how answers come back: its source is where the packets really go */
  readonly reply: Tuple
  /** bits of linux/netfilter/nf_conntrack_common.h IPS_* */
  readonly status: number
  readonly id: number
}

/** IPS_*: what `status` tells. */
export const STATUS = { seenReply: 1 << 1, assured: 1 << 2, sourceNat: 1 << 4, destinationNat: 1 << 5 } as const

export const MESSAGE = { new: 0, get: 1, delete: 2 } as const
const CTA = { original: 1, reply: 2, status: 3, id: 12, filter: 25 } as const
const TUPLE = { ip: 1, protocol: 2 } as const
const IP = { source4: 1, destination4: 2, source6: 3, destination6: 4 } as const
const PROTOCOL = { number: 1, sourcePort: 2, destinationPort: 3 } as const
const FILTER = { originalFlags: 1 } as const
/** The kernel's bit for "of this protocol number"; kernels before 5.8 do not know the filter and answer all. */
const byProtocolNumber = 1 << 3

export function encodeListQuery(writer: MessageWriter, family: 4 | 6, protocol: number): void {
  encodeHeader(writer, family)
  writer.nest(CTA.original, () => writer.nest(TUPLE.protocol, () => writer.attributeU8(PROTOCOL.number, protocol)))
  writer.nest(CTA.filter, () => writer.attributeU32(FILTER.originalFlags, byProtocolNumber))
}

/** Names the flow by its original direction and its id, so that a new flow of the same tuple stays. */
export function encodeFlowName(writer: MessageWriter, family: 4 | 6, { original, id }: Flow): void {
  encodeHeader(writer, family)
  encodeTuple(writer, CTA.original, original)
  writer.attributeU32be(CTA.id, id)
}

function encodeTuple(writer: MessageWriter, type: number, tuple: Tuple): void {
  const source = parseIp(tuple.source)
  const destination = parseIp(tuple.destination)
  if (source === undefined || destination === undefined) throw new Error(`not a flow: ${JSON.stringify(tuple)}`)
  const [sourceType, destinationType] =
    source.length === 4 ? [IP.source4, IP.destination4] : [IP.source6, IP.destination6]
  writer.nest(type, () => {
    writer.nest(TUPLE.ip, () => writer.attribute(sourceType, source).attribute(destinationType, destination))
    writer.nest(TUPLE.protocol, () =>
      writer
        .attributeU8(PROTOCOL.number, tuple.protocol)
        .attributeU16be(PROTOCOL.sourcePort, tuple.sourcePort)
        .attributeU16be(PROTOCOL.destinationPort, tuple.destinationPort),
    )
  })
}

/** The flow that a message of the kernel describes; undefined where a direction is missing. */
export function decodeFlow(payload: Uint8Array): Flow | undefined {
  const attributes = decodeAttributes(payload, headerLength)
  const original = decodeTuple(attributes.get(CTA.original))
  const reply = decodeTuple(attributes.get(CTA.reply))
  const status = attributes.get(CTA.status)
  const id = attributes.get(CTA.id)
  if (original === undefined || reply === undefined) return undefined
  return { original, reply, status: status ? readU32be(status) : 0, id: id ? readU32be(id) : 0 }
}

function decodeTuple(bytes: Uint8Array | undefined): Tuple | undefined {
  const parts = decodeAttributes(bytes)
  const ip = decodeAttributes(parts.get(TUPLE.ip))
  const protocol = decodeAttributes(parts.get(TUPLE.protocol))
  const source = ip.get(IP.source4) ?? ip.get(IP.source6)
  const destination = ip.get(IP.destination4) ?? ip.get(IP.destination6)
  const number = protocol.get(PROTOCOL.number)
  if (!source || !destination || !number) return undefined
  const port = (type: number) => {
    const value = protocol.get(type)
    return value ? readU16be(value) : 0
  }
  return {
    source: formatIp(source),
    destination: formatIp(destination),
    protocol: readU8(number),
    sourcePort: port(PROTOCOL.sourcePort),
    destinationPort: port(PROTOCOL.destinationPort),
  }
}
