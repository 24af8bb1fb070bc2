// Virtual and real servers of IPVS to bytes and back (linux/ip_vs.h, the family "IPVS" of generic netlink).
import { familyNumber } from '#kernel/route/family.ts'
import { decodeAttributes, eachAttribute, readText, readU16, readU16be, readU32 } from '#kernel/netlink/message.ts'
import type { Attributes } from '#kernel/netlink/message.ts'
import type { MessageWriter } from '#kernel/netlink/message-writer.ts'
import { formatIp, type Ip, parseIp } from '#lib/ip.ts'

export type IpvsProtocol = 'tcp' | 'udp' | 'sctp'

/** What names a virtual server. */
export type ServerName = { readonly protocol: IpvsProtocol; readonly address: Ip; readonly port: number }

export type VirtualServer = ServerName & {
  /** `rr`, `wlc`, `mh` ... */
  readonly scheduler: string
  /** bits that mean something to the scheduler, of `schedulerFlags` */
  readonly flags: number
  /** how long a client stays with its real server, in seconds; 0: not at all */
  readonly persistentSeconds: number
}

export type RealServer = {
  readonly address: Ip
  readonly port: number
  /** 0: takes no new connections */
  readonly weight: number
}

export type RealServerView = RealServer & {
  readonly forward: 'masquerade' | 'local' | 'tunnel' | 'route'
  readonly activeConnections: number
  readonly inactiveConnections: number
}

/** Seconds; 0 leaves what is there. */
export type IpvsTimeouts = { readonly tcp: number; readonly tcpFin: number; readonly udp: number }

export const COMMAND = {
  newService: 1,
  setService: 2,
  deleteService: 3,
  getService: 4,
  newDestination: 5,
  setDestination: 6,
  deleteDestination: 7,
  getDestination: 8,
  setConfig: 12,
  flush: 17,
} as const

export const ATTRIBUTE = { service: 1, destination: 2, timeoutTcp: 4, timeoutTcpFin: 5, timeoutUdp: 6 } as const
const SERVICE = {
  family: 1,
  protocol: 2,
  address: 3,
  port: 4,
  fwmark: 5,
  scheduler: 6,
  flags: 7,
  timeout: 8,
  netmask: 9,
} as const
const DESTINATION = {
  address: 1,
  port: 2,
  forward: 3,
  weight: 4,
  upperThreshold: 5,
  lowerThreshold: 6,
  active: 7,
  inactive: 8,
  family: 11,
} as const
const protocols = { tcp: 6, udp: 17, sctp: 132 } as const
const persistent = 0x1
/** Which bits are the scheduler's: for `mh` and `sh`, 0x8 chooses another server where one is away, 0x10 counts the port in. */
export const schedulerFlags = { first: 0x8, second: 0x10, third: 0x20 } as const
const flagMask = persistent | schedulerFlags.first | schedulerFlags.second | schedulerFlags.third

export function encodeServerName(writer: MessageWriter, server: ServerName): MessageWriter {
  return writer.nest(ATTRIBUTE.service, () => writeName(writer, server))
}

export function encodeVirtualServer(writer: MessageWriter, server: VirtualServer): MessageWriter {
  return writer.nest(ATTRIBUTE.service, () => {
    writeName(writer, server)
    writer.attributeText(SERVICE.scheduler, server.scheduler)
    const flags = server.flags | (server.persistentSeconds === 0 ? 0 : persistent)
    writer.attribute(SERVICE.flags, pair(flags, 0xffffffff)).attributeU32(SERVICE.timeout, server.persistentSeconds)
    // Clients of one network may share a server: here each stands for itself.
    writer.attributeU32(SERVICE.netmask, server.address.includes(':') ? 128 : 0xffffffff)
  })
}

export function encodeRealServer(writer: MessageWriter, { address, port, weight }: RealServer): MessageWriter {
  return writer.nest(ATTRIBUTE.destination, () => {
    writer.attribute(DESTINATION.address, sixteen(address)).attributeU16be(DESTINATION.port, port)
    writer.attributeU16(DESTINATION.family, familyNumber(address.includes(':') ? 6 : 4))
    writer.attributeU32(DESTINATION.forward, forwards.indexOf('masquerade')).attributeU32(DESTINATION.weight, weight)
    writer.attributeU32(DESTINATION.upperThreshold, 0).attributeU32(DESTINATION.lowerThreshold, 0)
  })
}

function writeName(writer: MessageWriter, { protocol, address, port }: ServerName): void {
  writer.attributeU16(SERVICE.family, familyNumber(address.includes(':') ? 6 : 4))
  writer.attributeU16(SERVICE.protocol, protocols[protocol]).attribute(SERVICE.address, sixteen(address))
  writer.attributeU16be(SERVICE.port, port)
}

/** Undefined for a server that is named by a mark of packets, and for protocols that Services do not have. */
export function decodeVirtualServer(payload: Uint8Array, offset: number): VirtualServer | undefined {
  const attributes = decodeAttributes(decodeAttributes(payload, offset).get(ATTRIBUTE.service))
  const number = attributes.get(SERVICE.protocol)
  const protocol = Object.entries(protocols).find(([, known]) => number && known === readU16(number))?.[0]
  if (protocol === undefined || attributes.has(SERVICE.fwmark)) return undefined
  const flags = readU32(attributes.get(SERVICE.flags)!)
  return {
    protocol: protocol as IpvsProtocol,
    address: addressOf(attributes, SERVICE.address, readU16(attributes.get(SERVICE.family)!)),
    port: readU16be(attributes.get(SERVICE.port)!),
    scheduler: readText(attributes.get(SERVICE.scheduler)!),
    flags: flags & flagMask & ~persistent,
    persistentSeconds: (flags & persistent) === 0 ? 0 : readU32(attributes.get(SERVICE.timeout)!),
  }
}

/** `like` is an address of the virtual server: old kernels leave the family out. */
export function decodeRealServer(payload: Uint8Array, offset: number, like: Ip): RealServerView | undefined {
  let found: RealServerView | undefined
  eachAttribute(payload, offset, (type, bytes) => {
    if (type !== ATTRIBUTE.destination) return
    const attributes = decodeAttributes(bytes)
    const number = (type: number) => readU32(attributes.get(type)!)
    const family = attributes.get(DESTINATION.family)
    found = {
      address: addressOf(
        attributes,
        DESTINATION.address,
        family ? readU16(family) : familyNumber(like.includes(':') ? 6 : 4),
      ),
      port: readU16be(attributes.get(DESTINATION.port)!),
      weight: number(DESTINATION.weight),
      forward: forwards[number(DESTINATION.forward) & 7] ?? 'masquerade',
      activeConnections: number(DESTINATION.active),
      inactiveConnections: number(DESTINATION.inactive),
    }
  })
  return found
}
const forwards: readonly RealServerView['forward'][] = ['masquerade', 'local', 'tunnel', 'route']

const addressOf = (attributes: Attributes, type: number, family: number): Ip =>
  formatIp(attributes.get(type)!.subarray(0, family === familyNumber(6) ? 16 : 4))

/** Addresses of either family lie at the beginning of 16 bytes. */
function sixteen(ip: Ip): Uint8Array {
  const bytes = new Uint8Array(16)
  bytes.set(parseIp(ip)!)
  return bytes
}

function pair(first: number, second: number): Uint8Array {
  const bytes = new Uint8Array(8)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, first, true)
  view.setUint32(4, second, true)
  return bytes
}
