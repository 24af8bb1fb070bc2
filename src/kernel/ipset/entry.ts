// Members of ipsets to bytes and back (linux/netfilter/ipset/ip_set.h). A member's text is what `ipset save` prints:
// `10.96.0.1`, `10.96.0.1,tcp:80`, `10.96.0.1,tcp:80,10.0.0.0/8`, `30001`.
import { decodeAttributes, readU16be, readU8 } from '#kernel/netlink/message.ts'
import type { MessageWriter } from '#kernel/netlink/message-writer.ts'
import { formatIp, type Ip, ipFamily, parseIp } from '#lib/ip.ts'

export const setTypes = ['hash:ip', 'hash:ip,port', 'hash:ip,port,ip', 'hash:ip,port,net', 'bitmap:port'] as const
export type SetType = (typeof setTypes)[number]

/** Numbers in network order carry this flag. */
export const NET_ORDER = 0x4000
const ENTRY = { ip: 1, port: 4, protocol: 7, ip2: 20, cidr2: 21 } as const
const ADDRESS = { 4: 1, 6: 2 } as const
const protocols: Readonly<Record<string, number>> = { tcp: 6, udp: 17, sctp: 132 }

/** Throws TypeError where the text is no member of such a set. */
export function encodeEntry(writer: MessageWriter, type: SetType, text: string): void {
  if (type === 'bitmap:port') {
    writer.attributeU16be(ENTRY.port | NET_ORDER, Number(text))
    return
  }
  const [ip = '', port, second] = text.split(',')
  writeIp(writer, ENTRY.ip, ip, text)
  if (type === 'hash:ip') return
  const [protocol = '', number] = port?.split(':') ?? []
  if (protocols[protocol] === undefined) throw new TypeError(`not a member of ${type}: ${text}`)
  writer.attributeU16be(ENTRY.port | NET_ORDER, Number(number)).attributeU8(ENTRY.protocol, protocols[protocol])
  if (type === 'hash:ip,port') return
  const [address = '', prefix] = second?.split('/') ?? []
  writeIp(writer, ENTRY.ip2, address, text)
  if (prefix !== undefined) writer.attributeU8(ENTRY.cidr2, Number(prefix))
}

function writeIp(writer: MessageWriter, type: number, ip: Ip, text: string): void {
  const bytes = parseIp(ip)
  if (bytes === undefined) throw new TypeError(`no address in ${text}`)
  writer.nest(type, () => writer.attribute(ADDRESS[bytes.length === 4 ? 4 : 6] | NET_ORDER, bytes))
}

export function decodeEntry(payload: Uint8Array): string {
  const attributes = decodeAttributes(payload)
  const ip = (type: number): Ip | undefined => {
    const nested = attributes.get(type)
    const bytes = nested && [...decodeAttributes(nested).values()][0]
    return bytes && formatIp(bytes)
  }
  const port = attributes.get(ENTRY.port)
  const protocol = attributes.get(ENTRY.protocol)
  const first = ip(ENTRY.ip)
  if (first === undefined) return port === undefined ? '' : `${readU16be(port)}`
  if (port === undefined || protocol === undefined) return first
  const name = Object.entries(protocols).find(([, number]) => number === readU8(protocol))?.[0] ?? readU8(protocol)
  const second = ip(ENTRY.ip2)
  const front = `${first},${name}:${readU16be(port)}`
  if (second === undefined) return front
  const prefix = attributes.get(ENTRY.cidr2)
  const isHost = prefix === undefined || readU8(prefix) === (ipFamily(second) === 4 ? 32 : 128)
  return `${front},${second}${isHost ? '' : `/${readU8(prefix)}`}`
}
