// Neighbours (who has which IP address: ARP, NDP) and forwarding entries of bridges and vxlans (behind which port or peer
// a hardware address lives) over rtnetlink: linux/neighbour.h (ndmsg).
import { formatIp, parseIp } from '#lib/ip.ts'
import { decodeAttributes, type Message, readU32 } from '#kernel/netlink/message.ts'
import type { MessageWriter } from '#kernel/netlink/message-writer.ts'
import { type Family, familyNumber } from '#kernel/route/family.ts'
import { encodeMac, formatMac } from '#kernel/route/mac.ts'

export type Neighbour = {
  readonly family: Family
  readonly link: number
  readonly ip: string
  readonly mac?: string
  readonly permanent: boolean
  /** NUD_* bits of linux/neighbour.h. */
  readonly state: number
}

export type ForwardingEntry = {
  readonly link: number
  readonly mac: string
  /** vxlan: the peer's address. */
  readonly destination?: string
  readonly permanent: boolean
  /** It belongs to the device itself (vxlan), not to the bridge above it. */
  readonly self: boolean
}

export const RTM_NEIGHBOUR = { new: 28, delete: 29, get: 30 } as const
const AF_BRIDGE = 7
const NDA = { destination: 1, mac: 2, link: 8 } as const
const NUD = { permanent: 0x80, noArp: 0x40 } as const
const NTF = { self: 0x2, master: 0x4 } as const

export function encodeNeighbour(
  writer: MessageWriter,
  { link, ip, mac }: { readonly link: number; readonly ip: string; readonly mac?: string },
): void {
  const bytes = parseIp(ip)
  if (bytes === undefined) throw new TypeError(`not an address: ${ip}`)
  header(writer, familyNumber(bytes.length === 16 ? 6 : 4), link, NUD.permanent, 0)
  writer.attribute(NDA.destination, bytes)
  if (mac !== undefined) writer.attribute(NDA.mac, encodeMac(mac))
}

export function encodeForwarding(
  writer: MessageWriter,
  entry: { readonly link: number; readonly mac: string; readonly destination?: string; readonly self?: boolean },
): void {
  header(writer, AF_BRIDGE, entry.link, NUD.permanent | NUD.noArp, (entry.self ?? true) ? NTF.self : NTF.master)
  writer.attribute(NDA.mac, encodeMac(entry.mac))
  if (entry.destination !== undefined) writer.attribute(NDA.destination, parseIp(entry.destination)!)
}

export const encodeNeighbourQuery = (
  writer: MessageWriter,
  family: Family | undefined,
  link: number | undefined,
): void => {
  header(writer, familyNumber(family), 0, 0, 0)
  if (link !== undefined) writer.attributeU32(NDA.link, link)
}

/** The kernel filters forwarding entries by the index in the header. */
export const encodeForwardingQuery = (writer: MessageWriter, link: number): void =>
  header(writer, AF_BRIDGE, link, 0, 0)

/** Undefined for what has no IP address. */
export function decodeNeighbour(message: Message): Neighbour | undefined {
  const attributes = decodeAttributes(message.payload, 12)
  const destination = attributes.get(NDA.destination)
  if (destination === undefined || message.payload[0] === AF_BRIDGE) return undefined
  const mac = attributes.get(NDA.mac)
  const state = message.payload[8]! | (message.payload[9]! << 8)
  return {
    family: destination.length === 16 ? 6 : 4,
    link: readU32(message.payload.subarray(4)),
    ip: formatIp(destination),
    ...(mac?.length === 6 && { mac: formatMac(mac) }),
    permanent: (state & NUD.permanent) !== 0,
    state,
  }
}

export function decodeForwarding(message: Message): ForwardingEntry | undefined {
  const attributes = decodeAttributes(message.payload, 12)
  const mac = attributes.get(NDA.mac)
  if (mac?.length !== 6) return undefined
  const destination = attributes.get(NDA.destination)
  return {
    link: readU32(message.payload.subarray(4)),
    mac: formatMac(mac),
    ...(destination && { destination: formatIp(destination) }),
    permanent: (message.payload[8]! & NUD.permanent) !== 0,
    self: (message.payload[10]! & NTF.self) !== 0,
  }
}

function header(writer: MessageWriter, family: number, link: number, state: number, flags: number): void {
  writer.u8(family).u8(0).u16(0).u32(link).u16(state).u8(flags).u8(0)
}
