// Whether a process waits where a packet ends.

import { listensAt } from '#kernel/dump/sockets.ts'
import type { Machine } from '#trace/machine.ts'
import type { Packet } from '#trace/packet.ts'

/** `only local`: at the loopback address, where nobody from elsewhere can come */
export type Listener = 'yes' | 'no' | 'only local' | 'unknown'

export function listenerOn({ sockets }: Machine, packet: Packet): Listener {
  const { protocol, destination, destinationPort } = packet
  // The kernel itself answers echo requests, and takes errors.
  if (protocol === 'icmp' || protocol === 'icmpv6') return 'yes'
  if (protocol !== 'tcp' && protocol !== 'udp') return 'unknown'
  const known = sockets?.[protocol]
  if (known === undefined) return 'unknown'
  const found = listensAt(known, protocol, destinationPort, destination)
  return destination === '?' && found !== 'yes' ? 'unknown' : found
}

/** A server of UDP that listens on every address sends its answers from whichever it likes. */
export function answersAnywhere(
  { sockets }: Machine,
  { protocol, destination, destinationPort: port }: Packet,
): boolean {
  const at = (sockets?.udp ?? []).filter((socket) => socket.port === port)
  return protocol === 'udp' && at.length > 0 && !at.some(({ ip }) => ip === destination)
}

/** The input that would tell. */
export const listenerInput = (to: string, { protocol }: Packet): string =>
  protocol === 'tcp' || protocol === 'udp' ? `ss -lntu of ${to}` : `who takes ${protocol} on ${to}`
