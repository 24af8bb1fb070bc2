// One packet, as the rules see it.

import { ipFamily, type Ip } from '#lib/ip.ts'

/** `tcp`, `udp`, `sctp`, `icmp`, `icmpv6`, or a number */
export type Protocol = string

export type Tuple = {
  readonly source: Ip
  readonly sourcePort: number
  readonly destination: Ip
  readonly destinationPort: number
}

export type Packet = Tuple & {
  readonly protocol: Protocol
  readonly mark: number
  /** undefined: not known; '': none, the packet is made here */
  readonly inInterface?: string
  /** undefined: not known; '': none yet, or the packet is for a process here */
  readonly outInterface?: string
  /** port of the bridge that it came in by */
  readonly bridgePort?: string
  readonly state: 'NEW' | 'ESTABLISHED' | 'RELATED' | 'INVALID' | 'UNTRACKED'
  /** the connection that it belongs to on the machine where it is now */
  readonly connection?: Connection
  /** bytes, with the IP header */
  readonly size: number
  /** it has come through IPVS here */
  readonly balanced?: true
  /** it comes back of what was sent, as an answer or a refusal */
  readonly answers?: true
  /** it resets a connection */
  readonly reset?: true
  /** an error by ICMP: what it says, and of which packet, as that one was where it was refused */
  readonly error?: { readonly type: number; readonly code: number; readonly about: Tuple }
}

/** What a machine keeps of a connection. */
export type Connection = {
  /** as the first packet was when it came */
  readonly original: Tuple
  readonly direction: 'original' | 'reply'
  /** where the packets really go; `done`: the rules were asked */
  readonly destinationNat?: { readonly ip: Ip; readonly port: number }
  readonly destinationDone: boolean
  /** whose they seem to be; ip is `?` where the address of the machine is not known */
  readonly sourceNat?: { readonly ip: Ip; readonly port: number }
  readonly sourceDone: boolean
  readonly mark: number
}

export const anyPort = 40_000

/** The first packet of a connection. */
export function firstPacket(
  fields: Pick<Packet, 'protocol' | 'source' | 'destination' | 'destinationPort'> & Partial<Packet>,
): Packet {
  return { sourcePort: anyPort, mark: 0, state: 'NEW', size: 60, ...fields }
}

export const familyOf = (packet: Packet): 4 | 6 => ipFamily(packet.destination) ?? ipFamily(packet.source) ?? 4

export const tupleOf = ({ source, sourcePort, destination, destinationPort }: Tuple): Tuple => ({
  source,
  sourcePort,
  destination,
  destinationPort,
})

/** The same from the other end. */
export const inverted = ({ source, sourcePort, destination, destinationPort }: Tuple): Tuple => ({
  source: destination,
  sourcePort: destinationPort,
  destination: source,
  destinationPort: sourcePort,
})

export const equalTuples = (a: Tuple, b: Tuple): boolean =>
  a.source === b.source &&
  a.destination === b.destination &&
  a.sourcePort === b.sourcePort &&
  a.destinationPort === b.destinationPort

/** How answers of a connection look where it is tracked. */
export const replyTuple = ({ original, destinationNat, sourceNat }: Connection): Tuple => ({
  source: destinationNat?.ip ?? original.destination,
  sourcePort: destinationNat?.port ?? original.destinationPort,
  destination: sourceNat?.ip ?? original.source,
  destinationPort: sourceNat?.port ?? original.sourcePort,
})

/** Whatever no connection is known of is invalid to rules: also what tracking has not seen yet, in the table raw. */
export const trackedState = ({ state, connection }: Packet): Packet['state'] =>
  connection === undefined && state !== 'UNTRACKED' ? 'INVALID' : state

export const hasPorts = (protocol: Protocol): boolean => ['tcp', 'udp', 'sctp', 'dccp', 'udplite'].includes(protocol)

/** `10.0.0.1:80`, `[fd00::1]:80`; the address alone for protocols without ports */
export const renderEnd = (ip: string, port: number, protocol: Protocol = 'tcp'): string =>
  hasPorts(protocol) ? (ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`) : ip

/** `tcp 10.244.1.9:40000 > 10.96.0.1:443` */
export function renderPacket(packet: Packet): string {
  const mark = packet.mark === 0 ? '' : ` mark 0x${packet.mark.toString(16)}`
  const source = packet.source === '' ? 'its own address' : packet.source
  const from = renderEnd(source, packet.sourcePort, packet.protocol)
  return `${packet.protocol} ${from} > ${renderEnd(packet.destination, packet.destinationPort, packet.protocol)}${mark}`
}

export const protocolNumbers: Readonly<Record<string, number>> = {
  all: 0,
  icmp: 1,
  igmp: 2,
  ipip: 4,
  ipencap: 4,
  tcp: 6,
  udp: 17,
  dccp: 33,
  ipv6: 41,
  gre: 47,
  esp: 50,
  ah: 51,
  icmpv6: 58,
  'ipv6-icmp': 58,
  ospf: 89,
  pim: 103,
  ipcomp: 108,
  vrrp: 112,
  l2tp: 115,
  sctp: 132,
  udplite: 136,
}

/** The number of a protocol that is named or numbered; undefined for a name that is not known. */
export const protocolNumber = (protocol: string): number | undefined =>
  /^\d+$/.test(protocol) ? Number(protocol) : protocolNumbers[protocol]
