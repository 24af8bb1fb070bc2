// What the parts of netfilter that speak netlink have in common (linux/netfilter/nfnetlink.h).
import type { MessageWriter } from '#kernel/netlink/message-writer.ts'

/** The high byte of a message type. */
export const SUBSYSTEM = { conntrack: 1, ipset: 6, accounting: 7, nftables: 10 } as const

export const messageType = (subsystem: keyof typeof SUBSYSTEM, message: number): number =>
  (SUBSYSTEM[subsystem] << 8) | message

/** Whose packets: IP's of a version, or all that pass a bridge. */
export type NetfilterFamily = 4 | 6 | 'bridge'

/** AF_INET, AF_INET6, AF_BRIDGE, or 0 where the family does not matter. */
export const netfilterFamily = (family: NetfilterFamily | undefined): number =>
  family === undefined ? 0 : { 4: 2, 6: 10, bridge: 7 }[family]

/** The header in front of the attributes: family, version 0, and a number whose meaning is the subsystem's. */
export const encodeHeader = (writer: MessageWriter, family: NetfilterFamily | undefined, resource = 0): MessageWriter =>
  writer.u8(netfilterFamily(family)).u8(0).u16be(resource)

/** Its length: attributes of a received message begin behind it. */
export const headerLength = 4
