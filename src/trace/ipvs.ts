// IPVS: virtual servers, looked at where packets come in for a process and where they are made (net/netfilter/ipvs). What
// it sends on goes once more through the hooks of packets that are made here.

import type { RealServer, VirtualServer } from '#kernel/dump/ipvsadm.ts'
import { fraction, type Fraction } from '#trace/fraction.ts'
import type { Station } from '#trace/hooks.ts'
import { type Machine, perMachine } from '#trace/machine.ts'
import { connectionOf } from '#trace/nat.ts'
import { renderEnd } from '#trace/packet.ts'
import type { Place } from '#trace/place.ts'
import { assume, factOf, lacks, type Passed, type Way, withPacket, withShare, withStep } from '#trace/way.ts'

export function ipvsStations(machine: Machine): Station[] {
  if (machine.virtualServers === undefined || machine.virtualServers.length === 0) return []
  const places = [
    { hook: 'input', priority: 99 },
    { hook: 'output', priority: -98 },
  ] as const
  return ([4, 6] as const).flatMap((family) =>
    places.map(({ hook, priority }) => ({ hook, family, priority, isNat: false, pass: balance })),
  )
}

function balance(way: Way, place: Place): readonly Passed[] {
  const { packet } = way
  const service =
    packet.balanced === true || packet.connection?.direction === 'reply' ? undefined : serviceFor(way, place.machine)
  if (service === undefined) return [{ way }]
  const step = (next: Way, effect: string): Way =>
    withStep(next, {
      machine: place.machine.name,
      place: `IPVS ${place.hook}`,
      matched: [`virtual server ${nameOf(service)}, scheduler ${service.scheduler}`],
      effect,
      weight: 'act',
    })
  const usable = service.servers.filter(({ weight }) => weight > 0)
  if (usable.length === 0) {
    const with_ = packet.destination.includes(':') ? 'icmp6-port-unreachable' : 'icmp-port-unreachable'
    return [{ way: step(way, 'refused: no real server has a weight'), end: { kind: 'reject', with: with_ } }]
  }
  return choices(service, usable, way).map(({ server, way: chosen }) => send(server, chosen, place, step))
}

/** Services by mark come first, then those by address and port, then those of every port. */
function serviceFor({ packet }: Way, machine: Machine): VirtualServer | undefined {
  const { byAddress, byMark } = servicesOf(machine)
  const { protocol, destination, destinationPort, mark } = packet
  return (
    byMark.get(`${mark} ${destination.includes(':')}`) ??
    byAddress.get(`${protocol} ${destination} ${destinationPort}`) ??
    byAddress.get(`${protocol} ${destination} 0`)
  )
}

const servicesOf = perMachine((machine) => {
  const byAddress = new Map<string, VirtualServer>()
  const byMark = new Map<string, VirtualServer>()
  for (const server of machine.virtualServers ?? []) {
    const { address } = server
    if (address.kind === 'mark') byMark.set(`${address.mark} ${address.v6}`, server)
    else byAddress.set(`${address.kind} ${address.ip} ${address.port}`, server)
  }
  return { byAddress, byMark }
})

const nameOf = ({ address }: VirtualServer): string =>
  address.kind === 'mark' ? `mark ${address.mark}` : renderEnd(address.ip, address.port)

type Choice = { readonly server: RealServer; readonly way: Way }

/** In turn, or in turn by weight. Other schedulers look at connections or at hashes, which no dump tells. */
function choices(
  { scheduler, servers, persistent }: VirtualServer,
  usable: readonly RealServer[],
  from: Way,
): readonly Choice[] {
  const way = persistent === undefined ? from : lacks(from, 'ipvsadm -Lnc (whom affinity remembers)')
  const sum = usable.reduce((all, { weight }) => all + weight, 0)
  const shareOf = (server: RealServer): Fraction | undefined =>
    scheduler === 'rr'
      ? fraction(1n, BigInt(usable.length))
      : scheduler === 'wrr'
        ? fraction(BigInt(server.weight), BigInt(sum))
        : undefined
  if (usable.length === 1) return [{ server: usable[0]!, way }]
  let rest = way
  return usable.flatMap((server, i): Choice[] => {
    const share = shareOf(server)
    if (share !== undefined) return [{ server, way: withShare(way, share) }]
    const condition = `the scheduler ${scheduler} chooses ${renderEnd(server.ip, server.port)} of ${servers.length}`
    const known = factOf(rest, condition)
    if (known === false) return []
    const isLast = i === usable.length - 1
    const chosen = known === true || isLast ? rest : assume(rest, condition, true, 'connections of the real servers')
    if (!isLast && known !== true) rest = assume(rest, condition, false, 'connections of the real servers')
    return [{ server, way: chosen }]
  })
}

function send(server: RealServer, way: Way, place: Place, step: (way: Way, effect: string) => Way): Passed {
  const to = renderEnd(server.ip, server.port)
  const end = { kind: 'balanced' as const, forward: server.forward, server: server.ip }
  if (server.forward !== 'masquerade') return { way: step(way, `goes to ${to} as it is`), end }
  const { bridgePort: _, ...packet } = way.packet
  const connection = {
    ...connectionOf(way.packet),
    destinationNat: { ip: server.ip, port: server.port },
    destinationDone: true,
  }
  // Without its help, conntrack does not see what IPVS sends: nothing is masqueraded then.
  const untracked = place.machine.sysctls?.get('net.ipv4.vs.conntrack') === '0'
  const sent: Way = { ...way, packet: { ...packet, connection, ...(untracked && { state: 'UNTRACKED' as const }) } }
  return {
    way: step(withPacket(sent, { destination: server.ip, destinationPort: server.port }), `destination becomes ${to}`),
    end,
  }
}
