// What DNAT, SNAT and masquerading do to a packet and to its connection.

import type { Machine } from '#trace/machine.ts'
import { type Connection, familyOf, hasPorts, type Packet, renderEnd, tupleOf } from '#trace/packet.ts'
import { addressBytes } from '#trace/ranges.ts'
import { sourceAddress } from '#trace/route/source.ts'
import { fraction } from '#trace/fraction.ts'
import { formatIp } from '#lib/ip.ts'
import { type Way, withPacket, withShare } from '#trace/way.ts'

export type Rewritten = { readonly way: Way; readonly effect: string }

type Target = {
  readonly first?: string
  readonly last?: string
  readonly port?: number
  readonly lastPort?: number
}

/** `10.244.1.5:80`, `10.244.1.5`, `[fd00::5]:80`, `:8080`, `10.0.0.1-10.0.0.9:80-90` */
function readTarget(to: string): Target {
  const six = /^\[([^\]]+)\](?::(\d+)(?:-(\d+))?)?/.exec(to)
  const four = six ?? /^([\d.]*(?:-[\d.]+)?)(?::(\d+)(?:-(\d+))?)?(?:\/\d+)?$/.exec(to)
  if (four === null) return { first: to }
  const [first, last] = four[1]!.split('-')
  return {
    ...(first !== '' && { first: first! }),
    ...(last !== undefined && { last }),
    ...(four[2] !== undefined && { port: Number(four[2]) }),
    ...(four[3] !== undefined && { lastPort: Number(four[3]) }),
  }
}

const mostAddresses = 256

/** One way for each address of a range: the kernel spreads over them evenly. */
function addressesIn({ first, last }: Target): readonly (string | undefined)[] {
  if (first === undefined || last === undefined) return [first]
  const [from, to] = [addressBytes(first), addressBytes(last)]
  if (from?.length !== 4 || to?.length !== 4) return [first]
  const number = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)
  const count = Math.min(mostAddresses, number(to) - number(from) + 1)
  return Array.from({ length: count }, (_, i) => {
    const bytes = new Uint8Array(4)
    new DataView(bytes.buffer).setUint32(0, number(from) + i)
    return formatIp(bytes)
  })
}

export const connectionOf = (packet: Packet): Connection =>
  packet.connection ?? {
    original: tupleOf(packet),
    direction: 'original',
    destinationDone: false,
    sourceDone: false,
    mark: 0,
  }

/** Sends the packet, and the connection, elsewhere: address, port or both. */
export function destinationNat(way: Way, to: string): readonly Rewritten[] {
  const target = readTarget(to)
  const ips = addressesIn(target)
  return ips.map((address) => {
    const { packet } = way
    const ip = address ?? packet.destination
    const port = hasPorts(packet.protocol) ? (target.port ?? packet.destinationPort) : packet.destinationPort
    const connection = { ...connectionOf(packet), destinationNat: { ip, port }, destinationDone: true }
    return {
      way: share(withPacket(way, { destination: ip, destinationPort: port, connection }), ips.length),
      effect: `destination becomes ${renderEnd(ip, port, packet.protocol)}`,
    }
  })
}

const share = (way: Way, parts: number): Way => (parts === 1 ? way : withShare(way, fraction(1n, BigInt(parts))))

/** Gives the connection another source. The kernel keeps the port where nobody else has it; that is taken here. */
export function sourceNat(way: Way, to: string): readonly Rewritten[] {
  const target = readTarget(to)
  const ips = addressesIn(target)
  return ips.map((address) => {
    const { packet } = way
    const ip = address ?? packet.source
    const port = hasPorts(packet.protocol) ? (target.port ?? packet.sourcePort) : packet.sourcePort
    return {
      way: share(withSource(way, ip, port), ips.length),
      effect: `source becomes ${target.port === undefined ? ip : renderEnd(ip, port, packet.protocol)}`,
    }
  })
}

const withSource = (way: Way, ip: string, port: number): Way => {
  const connection = { ...connectionOf(way.packet), sourceNat: { ip, port }, sourceDone: true }
  return withPacket(way, { source: ip, sourcePort: port, connection })
}

/** The address of the machine by which the packet leaves: the route's own, or the interface's first. */
export function masquerade(way: Way, machine: Machine): readonly Rewritten[] {
  const { packet } = way
  const ip = sourceAddress(machine, familyOf(packet), packet.outInterface, packet.destination)
  return [
    {
      way: withSource(way, ip ?? '?', packet.sourcePort),
      effect:
        ip === undefined
          ? `source becomes ${machine.name}'s address on the way out`
          : `source becomes ${ip} (${packet.outInterface ?? machine.name})`,
    },
  ]
}
