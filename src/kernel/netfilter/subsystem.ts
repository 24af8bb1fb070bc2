// What the parts of netfilter that speak netlink have in common (linux/netfilter/nfnetlink.h).
import type { MessageWriter } from '#kernel/netlink/message-writer.ts'

/** The high byte of a message type. */
export const SUBSYSTEM = { conntrack: 1, accounting: 7, nftables: 10 } as const

export const messageType = (subsystem: keyof typeof SUBSYSTEM, message: number): number =>
  (SUBSYSTEM[subsystem] << 8) | message

/** AF_INET, AF_INET6, or 0 where the family does not matter. */
export const netfilterFamily = (family: 4 | 6 | undefined): number => (family === 4 ? 2 : family === 6 ? 10 : 0)

/** The header in front of the attributes: family, version 0, and a number whose meaning is the subsystem's. */
export const encodeHeader = (writer: MessageWriter, family: 4 | 6 | undefined, resource = 0): MessageWriter =>
  writer.u8(netfilterFamily(family)).u8(0).u16be(resource)

/** Its length: attributes of a received message begin behind it. */
export const headerLength = 4
