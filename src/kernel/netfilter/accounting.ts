// effect: netlink sockets
// Named packet counters of the kernel, which rules count into (`-m nfacct`).
import { encodeHeader, headerLength, messageType } from '#kernel/netfilter/subsystem.ts'
import { decodeAttributes, readText, readU64be } from '#kernel/netlink/message.ts'
import { NLM_F } from '#kernel/netlink/message-writer.ts'
import { NETLINK, NetlinkError, openNetlink } from '#kernel/netlink/socket.ts'

const MESSAGE = { new: 0, get: 1 } as const
const ATTRIBUTE = { name: 1, packets: 2 } as const

/** Makes the counters that are missing. False where this kernel has no such counters. */
export function ensureCounters(names: readonly string[], netns?: string): boolean {
  using socket = openNetlink({ protocol: NETLINK.netfilter, netns })
  for (const name of names)
    try {
      socket.request(
        `make the counter ${name}`,
        messageType('accounting', MESSAGE.new),
        NLM_F.create | NLM_F.exclusive,
        (writer) => encodeHeader(writer, undefined).attributeText(ATTRIBUTE.name, name),
      )
    } catch (error) {
      if (!(error instanceof NetlinkError)) throw error
      if (error.code !== 'EEXIST' && error.code !== 'EBUSY') return false
    }
  return true
}

/** Packets counted so far, by name; empty where there are no counters. */
export function readCounters(netns?: string): ReadonlyMap<string, bigint> {
  using socket = openNetlink({ protocol: NETLINK.netfilter, netns })
  const counts = new Map<string, bigint>()
  try {
    const answer = socket.request('list counters', messageType('accounting', MESSAGE.get), NLM_F.dump, (writer) =>
      encodeHeader(writer, undefined),
    )
    for (const { payload } of answer) {
      const attributes = decodeAttributes(payload, headerLength)
      const [name, packets] = [attributes.get(ATTRIBUTE.name), attributes.get(ATTRIBUTE.packets)]
      if (name && packets) counts.set(readText(name), readU64be(packets))
    }
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error
  }
  return counts
}
