// One packet, as the rules see it: the first of a connection, unless it says otherwise.

import { ipFamily, type Ip } from '#lib/ip.ts'

export type Protocol = 'tcp' | 'udp' | 'sctp' | 'icmp'

export type Packet = {
  readonly protocol: Protocol
  readonly source: Ip
  readonly sourcePort: number
  readonly destination: Ip
  readonly destinationPort: number
  readonly mark: number
  /** undefined: not known, or the packet is made here */
  readonly inInterface?: string
  /** undefined: not known, or not routed yet */
  readonly outInterface?: string
  readonly state: 'NEW' | 'ESTABLISHED' | 'RELATED' | 'INVALID'
  /** addresses that the connection had before they were rewritten */
  readonly before?: { readonly destination?: string; readonly source?: string }
}

export const familyOf = (packet: Packet): 4 | 6 => ipFamily(packet.destination) ?? 4

/** `tcp 10.244.1.9:40000 > 10.96.0.1:443` */
export function renderPacket(packet: Packet): string {
  const at = (ip: string, port: number) => (ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`)
  const mark = packet.mark === 0 ? '' : ` mark 0x${packet.mark.toString(16)}`
  return `${packet.protocol} ${at(packet.source, packet.sourcePort)} > ${at(packet.destination, packet.destinationPort)}${mark}`
}
