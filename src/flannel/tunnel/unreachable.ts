// What a router answers for a packet that it has no way for: ICMP destination unreachable, network (RFC 792), and ICMPv6
// no route to destination (RFC 4443).

import { destinationAt, sourceAt } from '#flannel/tunnel/peer-table.ts'

const icmp = { 4: { protocol: 1, unreachable: 3 }, 6: { protocol: 58, unreachable: 1 } } as const
/** Of the packet itself: IPv4 wants its header and 8 bytes, IPv6 as much as fits into 1,280 bytes. */
const quoted = { 4: 60 + 8, 6: 1280 - 40 - 8 } as const

/**
 * The answer to `packet`. It comes from the very address that cannot be reached, since the kernel would take one from our own
 * address for a forgery. Undefined where none may be given: to ICMP errors, to fragments but the first, from or to what is no
 * single host.
 */
export function unreachable(packet: Uint8Array): Uint8Array | undefined {
  const family = packet[0]! >> 4 === 4 ? 4 : 6
  const [header, addressBytes] = family === 4 ? [20, 4] : [40, 16]
  if (packet.length < header || packet[0]! >> 4 !== family || mustBeSilent(packet, family)) return undefined
  const quote = packet.subarray(0, Math.min(packet.length, quoted[family]))
  const answer = new Uint8Array(header + 8 + quote.length)
  const view = new DataView(answer.buffer)
  const address = (at: number) => packet.subarray(at, at + addressBytes)
  answer.set(address(destinationAt[family]), sourceAt[family])
  answer.set(address(sourceAt[family]), destinationAt[family])
  answer.set([icmp[family].unreachable, 0], header)
  answer.set(quote, header + 8)
  if (family === 4) {
    answer.set([0x45, 0xc0], 0)
    view.setUint16(2, answer.length)
    answer.set([64, icmp[4].protocol], 8)
    view.setUint16(10, checksum(answer.subarray(0, header)))
    view.setUint16(header + 2, checksum(answer.subarray(header)))
  } else {
    answer[0] = 0x60
    view.setUint16(4, answer.length - header)
    answer.set([icmp[6].protocol, 64], 6)
    view.setUint16(header + 2, checksum(pseudo(answer, header)))
  }
  return answer
}

function mustBeSilent(packet: Uint8Array, family: 4 | 6): boolean {
  const [source, destination] = [packet[sourceAt[family]]!, packet[destinationAt[family]]!]
  if (family === 4) {
    const isLaterFragment = (((packet[6]! & 0x1f) << 8) | packet[7]!) !== 0
    const typeAt = (packet[0]! & 15) * 4
    const isError = packet[9] === icmp[4].protocol && ![0, 8].includes(packet[typeAt] ?? 3)
    return isLaterFragment || isError || source === 0 || source >= 224 || destination >= 224
  }
  const isError = packet[6] === icmp[6].protocol && (packet[40] ?? 0) < 128
  return isError || source === 0xff || destination === 0xff || packet.subarray(8, 24).every((byte) => byte === 0)
}

/** What ICMPv6 sums: addresses, length and protocol before the message. */
function pseudo(answer: Uint8Array, header: number): Uint8Array {
  const message = answer.subarray(header)
  const bytes = new Uint8Array(40 + message.length)
  bytes.set(answer.subarray(8, 40))
  new DataView(bytes.buffer).setUint32(32, message.length)
  bytes[39] = icmp[6].protocol
  bytes.set(message, 40)
  return bytes
}

/** RFC 1071. The checksum's own place must hold zero. */
export function checksum(bytes: Uint8Array): number {
  let sum = 0
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) | (bytes[i + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}
