// effect: netlink sockets
// The number that the kernel raises by one with every change to any nftables table of a namespace, and therefore also to
// those of iptables-nft. Equal numbers: nothing happened in between.
import { encodeHeader, headerLength, messageType } from '#kernel/netfilter/subsystem.ts'
import { decodeAttributes, readU32be } from '#kernel/netlink/message.ts'
import { NETLINK, type NetlinkSocket, openNetlink } from '#kernel/netlink/socket.ts'

const getGeneration = 16
const generationId = 1

export function nftablesGeneration(netns?: string): number {
  using socket = openNetlink({ protocol: NETLINK.netfilter, netns })
  return generationOf(socket)
}

/** By a socket that is there already. */
export function generationOf(socket: NetlinkSocket): number {
  const [answer] = socket.request('read the generation', messageType('nftables', getGeneration), 0, (writer) =>
    encodeHeader(writer, undefined),
  )
  const id = answer && decodeAttributes(answer.payload, headerLength).get(generationId)
  if (!id) throw new Error('nftables did not say its generation')
  return readU32be(id)
}
