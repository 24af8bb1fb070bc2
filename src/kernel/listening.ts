// effect: netlink sockets
// Which sockets of this machine wait for others: TCP sockets that listen, UDP sockets that are bound and not connected
// (linux/inet_diag.h).
import type { ListeningSocket } from '#kernel/dump/sockets.ts'
import { decodeAttributes, type Message } from '#kernel/netlink/message.ts'
import { NLM_F } from '#kernel/netlink/message-writer.ts'
import { NETLINK, NetlinkError, type NetlinkSocket, openNetlink } from '#kernel/netlink/socket.ts'
import { formatIp } from '#lib/ip.ts'

const diagnoseByFamily = 20
const protocols = { tcp: 6, udp: 17 } as const
/** bits of socket states: LISTEN, and CLOSE, in which an unconnected UDP socket is */
const states = { tcp: 1 << 10, udp: 1 << 7 } as const
const families = { 4: 2, 6: 10 } as const
const at = { family: 0, sourcePort: 4, source: 8, end: 72 } as const
const only6Attribute = 11

/** What the kernel cannot tell (a protocol whose diagnosis it lacks) is left out. Microseconds, however many connections. */
export function listeningSockets(netns?: string): ListeningSocket[] {
  using socket = openNetlink({ protocol: NETLINK.diagnosis, netns })
  return (['tcp', 'udp'] as const).flatMap((protocol) =>
    ([4, 6] as const).flatMap((family) => list(socket, protocol, family)),
  )
}

function list(socket: NetlinkSocket, protocol: 'tcp' | 'udp', family: 4 | 6): ListeningSocket[] {
  try {
    return socket
      .request(`list ${protocol} sockets`, diagnoseByFamily, NLM_F.dump, (writer) => {
        writer.u8(families[family]).u8(protocols[protocol]).u8(0).u8(0).u32(states[protocol])
        writer.raw(new Uint8Array(48))
      })
      .map((message) => decode(message, protocol, family))
  } catch (error) {
    if (error instanceof NetlinkError && error.code === 'ENOENT') return []
    throw error
  }
}

function decode({ payload }: Message, protocol: 'tcp' | 'udp', family: 4 | 6): ListeningSocket {
  const port = (payload[at.sourcePort]! << 8) | payload[at.sourcePort + 1]!
  const source = payload.subarray(at.source, at.source + (family === 4 ? 4 : 16))
  const isAny = source.every((byte) => byte === 0)
  if (!isAny) {
    const ip = formatIp(source).replace(/^::ffff:(?=\d+\.)/, '')
    return { protocol, port, ip, families: [ip.includes(':') ? 6 : 4] }
  }
  // A socket on :: takes IPv4 too unless it says otherwise.
  const isOnly6 = family === 6 && decodeAttributes(payload, at.end).get(only6Attribute)?.[0] === 1
  return { protocol, port, families: family === 4 ? [4] : isOnly6 ? [6] : [4, 6] }
}
