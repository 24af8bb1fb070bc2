// The Ethernet frames by which a node says that an address is its own: ARP (RFC 826), neighbour discovery (RFC 4861),
// and a heartbeat among the nodes of a segment in the EtherType that IEEE 802 leaves for experiments. Pure.

import { concat, fromUtf8, utf8 } from '#lib/bytes.ts'

export const etherTypes = { arp: 0x0806, ipv6: 0x86dd, heartbeat: 0x88b5 } as const

const broadcast = new Uint8Array(6).fill(0xff)
const headerLength = 14

const ethernet = (to: Uint8Array, from: Uint8Array, etherType: number, payload: Uint8Array): Uint8Array =>
  concat(to, from, u16(etherType), payload)

/** Who asks, and for which address; the sender's address is undefined where it has none yet. */
export type Question = { readonly ip: Uint8Array; readonly askerMac: Uint8Array; readonly askerIp: Uint8Array }

const arpOf = (operation: 1 | 2, fromMac: Uint8Array, fromIp: Uint8Array, toMac: Uint8Array, toIp: Uint8Array) =>
  concat(u16(1), u16(0x0800), Uint8Array.of(6, 4), u16(operation), fromMac, fromIp, toMac, toIp)

/** undefined: the frame asks nothing. */
export function decodeArpRequest(frame: Uint8Array): Question | undefined {
  const arp = frame.subarray(headerLength, headerLength + 28)
  if (arp.length < 28 || readU16(arp, 0) !== 1 || readU16(arp, 2) !== 0x0800 || readU16(arp, 6) !== 1) return undefined
  return { askerMac: arp.slice(8, 14), askerIp: arp.slice(14, 18), ip: arp.slice(24, 28) }
}

export const encodeArpReply = ({ ip, askerMac, askerIp }: Question, mac: Uint8Array): Uint8Array =>
  ethernet(askerMac, mac, etherTypes.arp, arpOf(2, mac, ip, askerMac, askerIp))

/** Tells everyone on the segment, asked or not (RFC 5227, 3). */
export const encodeArpAnnouncement = (ip: Uint8Array, mac: Uint8Array): Uint8Array =>
  ethernet(broadcast, mac, etherTypes.arp, arpOf(1, mac, ip, new Uint8Array(6), ip))

const ICMPV6 = { protocol: 58, solicitation: 135, advertisement: 136 } as const
const allNodes = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)
const allNodesMac = Uint8Array.of(0x33, 0x33, 0, 0, 0, 1)
const FLAG = { solicited: 0x40, override: 0x20 } as const

/** Lets neighbour solicitations through, and nothing else of IPv6. */
export const solicitationFilter = [
  { code: 0x30, k: headerLength + 6 },
  { code: 0x15, k: ICMPV6.protocol, onFalse: 3 },
  { code: 0x30, k: headerLength + 40 },
  { code: 0x15, k: ICMPV6.solicitation, onFalse: 1 },
  { code: 0x06, k: 0xffff },
  { code: 0x06, k: 0 },
] as const

/** undefined: the frame asks nothing, or came by a router, which no neighbour's does. */
export function decodeSolicitation(frame: Uint8Array): Question | undefined {
  const packet = frame.subarray(headerLength)
  if (packet.length < 64 || packet[6] !== ICMPV6.protocol || packet[7] !== 255) return undefined
  if (packet[40] !== ICMPV6.solicitation) return undefined
  return { askerMac: frame.slice(6, 12), askerIp: packet.slice(8, 24), ip: packet.slice(48, 64) }
}

export function encodeAdvertisement({ ip, askerMac, askerIp }: Question, mac: Uint8Array): Uint8Array {
  // Somebody who is still looking whether its own address is free has none: all are answered.
  const isNamed = askerIp.some((byte) => byte !== 0)
  const message = advertisement(ip, isNamed ? askerIp : allNodes, mac, isNamed ? FLAG.solicited : 0)
  return ethernet(isNamed ? askerMac : allNodesMac, mac, etherTypes.ipv6, message)
}

export const encodeNeighbourAnnouncement = (ip: Uint8Array, mac: Uint8Array): Uint8Array =>
  ethernet(allNodesMac, mac, etherTypes.ipv6, advertisement(ip, allNodes, mac, 0))

function advertisement(ip: Uint8Array, to: Uint8Array, mac: Uint8Array, flags: number): Uint8Array {
  const option = concat(Uint8Array.of(2, 1), mac)
  const body = concat(Uint8Array.of(ICMPV6.advertisement, 0, 0, 0, flags | FLAG.override, 0, 0, 0), ip, option)
  const pseudo = concat(ip, to, u16(0), u16(body.length), Uint8Array.of(0, 0, 0, ICMPV6.protocol))
  body.set(u16(checksum(concat(pseudo, body))), 2)
  const header = concat(Uint8Array.of(0x60, 0, 0, 0), u16(body.length), Uint8Array.of(ICMPV6.protocol, 255), ip, to)
  return concat(header, body)
}

/** The Internet's checksum (RFC 1071) of an even number of bytes. */
export function checksum(bytes: Uint8Array): number {
  let sum = 0
  for (let i = 0; i < bytes.length; i += 2) sum += readU16(bytes, i)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

/** `group`: nodes of one pool; others on the segment are no concern of theirs. */
export type Heartbeat = { readonly group: number; readonly node: string; readonly isLeaving: boolean }
const magic = utf8('FWLB')

export function encodeHeartbeat({ group, node, isLeaving }: Heartbeat, mac: Uint8Array): Uint8Array {
  const payload = new Uint8Array(4)
  new DataView(payload.buffer).setUint32(0, group)
  const name = utf8(node)
  const body = concat(magic, payload, Uint8Array.of(isLeaving ? 1 : 0, name.length), name)
  return ethernet(broadcast, mac, etherTypes.heartbeat, body)
}

export function decodeHeartbeat(frame: Uint8Array): Heartbeat | undefined {
  const body = frame.subarray(headerLength)
  if (body.length < 10 || magic.some((byte, i) => body[i] !== byte)) return undefined
  const length = body[9]!
  if (body.length < 10 + length || length === 0) return undefined
  const group = new DataView(body.buffer, body.byteOffset).getUint32(4)
  return { group, isLeaving: body[8] === 1, node: fromUtf8(body.slice(10, 10 + length)) }
}

const u16 = (value: number): Uint8Array => Uint8Array.of(value >>> 8, value & 0xff)
const readU16 = (bytes: Uint8Array, at: number): number => (bytes[at]! << 8) | bytes[at + 1]!
