// Packets inside packets: VXLAN (linux/if_link.h) and IP in IP. Which machine is at the other end stands in the neighbours
// and forwarding entries of the tunnel's interface, as flannel writes them.

import type { DumpedLink } from '#kernel/dump/link.ts'
import type { Machine } from '#trace/machine.ts'
import type { Packet } from '#trace/packet.ts'
import { sourceAddress } from '#trace/route/source.ts'
import { lookupRoute } from '#trace/route/lookup.ts'
import { lacks, type Way, withStep } from '#trace/way.ts'
import { machineAt, type World } from '#trace/world.ts'

/** Bytes that the outer headers take. */
const overhead = { vxlan: 50, ipip: 20 } as const

const linkOf = (machine: Machine, device: string): DumpedLink | undefined =>
  machine.links?.find(({ name }) => name === device)

const kindOf = (machine: Machine, device: string): keyof typeof overhead | undefined => {
  const link = linkOf(machine, device)
  if (link?.vxlan !== undefined || link?.kind === 'vxlan' || /^(flannel\.\d+|vxlan)/.test(device)) return 'vxlan'
  return link?.kind === 'ipip' || /^tunl\d/.test(device) ? 'ipip' : undefined
}

export const isTunnel = (machine: Machine, device: string): boolean => kindOf(machine, device) !== undefined

export type TunnelEnd =
  | {
      readonly kind: 'found'
      readonly way: Way
      readonly outer: Pick<Packet, 'protocol' | 'source' | 'destination' | 'sourcePort' | 'destinationPort' | 'size'>
      readonly id: number
      /** the interface that unpacks it there */
      deviceOn(other: Machine): string | undefined
    }
  | { readonly kind: 'lost'; readonly way: Way; readonly why: string }

export function tunnelEnd(world: World, machine: Machine, device: string, via: string, from: Way): TunnelEnd {
  const link = linkOf(machine, device)
  const kind = kindOf(machine, device)!
  const lost = (why: string): TunnelEnd => ({
    kind: 'lost',
    way: withStep(from, {
      machine: machine.name,
      place: 'tunnel',
      matched: [],
      effect: `dropped: ${why}`,
      weight: 'act',
    }),
    why,
  })
  const found =
    kind === 'ipip' ? { ip: via, way: from, by: [`the next hop ${via}`] } : otherEnd(world, machine, device, via, from)
  if ('why' in found) return lost(found.why)
  const id = link?.vxlan?.id ?? Number(/\d+$/.exec(device)?.[0] ?? 1)
  const port = link?.vxlan?.port ?? 8472
  const size = from.packet.size + overhead[kind]
  const [route] = lookupRoute(machine, outerQuery(found.ip, kind, port))
  const under = route?.routed.kind === 'forward' ? route.routed.device : undefined
  const source = link?.vxlan?.local ?? sourceAddress(machine, found.ip.includes(':') ? 6 : 4, under, found.ip) ?? ''
  const mtu = machine.links?.find(({ name }) => name === under)?.mtu
  if (mtu !== undefined && mtu > 0 && size > mtu)
    return lost(`${size} bytes with the outer headers do not fit into ${under} (mtu ${mtu})`)
  const tooLarge = mtu !== undefined && mtu > 0 && link !== undefined && link.mtu + overhead[kind] > mtu
  const warning = tooLarge
    ? `; what is larger than ${mtu - overhead[kind]} bytes is lost here: ${device} has mtu ${link.mtu}, ${under} ${mtu}`
    : ''
  return {
    kind: 'found',
    way: withStep(found.way, {
      machine: machine.name,
      place: 'tunnel',
      matched: found.by,
      effect: `packed for ${found.ip} (${kind === 'vxlan' ? `VXLAN ${id}, UDP port ${port}` : 'IP in IP'})${warning}`,
      weight: 'act',
    }),
    outer: {
      protocol: kind === 'vxlan' ? 'udp' : 'ipip',
      source,
      destination: found.ip,
      sourcePort: kind === 'vxlan' ? 50_000 : 0,
      destinationPort: kind === 'vxlan' ? port : 0,
      size,
    },
    id,
    deviceOn: (other) =>
      kind === 'ipip'
        ? other.links?.find((item) => kindOf(other, item.name) === 'ipip')?.name
        : other.links?.find((item) => (item.vxlan === undefined ? item.name === device : item.vxlan.id === id))?.name,
  }
}

const outerQuery = (destination: string, kind: keyof typeof overhead, port: number) => ({
  family: destination.includes(':') ? (6 as const) : (4 as const),
  destination,
  source: '',
  mark: 0,
  incoming: '',
  protocol: kind === 'vxlan' ? 'udp' : 'ipip',
  sourcePort: 0,
  destinationPort: kind === 'vxlan' ? port : 0,
})

type Found = { readonly ip: string; readonly way: Way; readonly by: readonly string[] } | { readonly why: string }

/** The next hop's hardware address, and the machine behind that. */
function otherEnd(world: World, machine: Machine, device: string, via: string, way: Way): Found {
  const { neighbours, forwarding } = machine
  const guess = machineAt(world, via)
  const address = guess?.links
    ?.filter(({ name, loopback }) => !loopback && kindOf(guess, name) === undefined)
    .flatMap(({ addresses }) => addresses ?? [])[0]?.ip
  if (neighbours === undefined || forwarding === undefined) {
    const missing = neighbours === undefined ? 'ip neigh' : 'bridge fdb'
    return address === undefined
      ? { why: `nothing tells who ${via} on ${device} is: give ${missing}` }
      : { ip: address, way: lacks(way, missing), by: [`${via} is an address of ${guess!.name}`] }
  }
  const mac = neighbours.find((entry) => entry.ip === via && entry.device === device)?.mac
  if (mac === undefined)
    return { why: `no neighbour ${via} on ${device}: the pod network has not told where that node is` }
  const to = forwarding.find((entry) => entry.mac === mac && entry.device === device && entry.destination !== undefined)
  if (to === undefined) return { why: `no forwarding entry for ${mac} (${via}) on ${device}` }
  return { ip: to.destination!, way, by: [`${via} is ${mac}`, `${mac} is behind ${to.destination}`] }
}
