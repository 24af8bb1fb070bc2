// What DNAT, SNAT and MASQUERADE do to a packet.

import type { Target } from '#kernel/iptables/rule.ts'
import type { Machine } from '#trace/machine.ts'
import type { Packet } from '#trace/packet.ts'

export type Rewritten = { readonly packet: Packet; readonly effect: string }

/** `10.244.1.5:80`, `10.244.1.5`, `[fd00::5]:80`, `:8080` */
function splitTarget(to: string): { readonly address?: string; readonly port?: number } {
  const bracketed = /^\[([^\]]+)\](?::(\d+))?/.exec(to)
  const [, address, port] = bracketed ?? /^([^:]*)(?::(\d+))?$/.exec(to) ?? [undefined, to, undefined]
  return { ...(address ? { address } : {}), ...(port === undefined ? {} : { port: Number(port) }) }
}

const at = (address: string, port: number) => (address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`)

export function rewriteDestination(to: string, packet: Packet): Rewritten {
  const { address = packet.destination, port = packet.destinationPort } = splitTarget(to)
  const before = { ...packet.before, destination: at(packet.destination, packet.destinationPort) }
  return {
    packet: { ...packet, destination: address, destinationPort: port, before },
    effect: `destination becomes ${at(address, port)}`,
  }
}

/** The source of a masqueraded packet is the address of the interface it leaves by, which a dump of rules does not tell. */
export function rewriteSource(
  target: Extract<Target, { kind: 'snat' | 'masquerade' }>,
  packet: Packet,
  machine: Machine,
): Rewritten {
  const before = { ...packet.before, source: at(packet.source, packet.sourcePort) }
  if (target.kind === 'masquerade')
    return { packet: { ...packet, before }, effect: `source becomes ${machine.name}'s address on the way out` }
  const { address = packet.source } = splitTarget(target.to)
  return { packet: { ...packet, source: address, before }, effect: `source becomes ${address}` }
}
