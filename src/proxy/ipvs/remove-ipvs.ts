// effect: netlink sockets
// Takes away what IPVS mode has in the kernel besides iptables rules. The link goes last: as long as it is there, there
// may be more.
import { listFlows } from '#kernel/conntrack/conntrack.ts'
import type { Ipset } from '#kernel/ipset/ipset.ts'
import type { VirtualServer } from '#kernel/ipvs/codec.ts'
import type { Ipvs } from '#kernel/ipvs/ipvs.ts'
import type { Route } from '#kernel/route/open-route.ts'
import { containsIp, parseCidr } from '#lib/cidr.ts'
import type { Ip } from '#lib/ip.ts'
import { dummyLink } from '#proxy/ipvs/options.ts'
import { type SetKey, setKeys, setName } from '#proxy/ipvs/sets.ts'
import type { Family } from '#proxy/state.ts'

export type IpvsSockets = { readonly ipvs: Ipvs; readonly ipset: Ipset; readonly route: Route }

export type KnownSets = ReadonlyMap<SetKey, ReadonlySet<string>>

/** Only after the iptables rules that look into the sets are gone. */
export function removeIpvs(family: Family, { ipvs, ipset, route }: IpvsSockets, excludeCidrs: readonly string[] = []) {
  for (const server of ownServers(family, ipvs, knownSets(family, ipset), excludeCidrs))
    ipvs.deleteVirtualServer(server)
  for (const key of setKeys) ipset.destroy(setName(key, family))
  if (route.link(dummyLink) === undefined) return
  for (const ip of boundAddresses(family, route)) unbind(ip, route)
  if (boundAddresses(family === 4 ? 6 : 4, route).size === 0) route.deleteLink(dummyLink)
}

/** Whether connections still pass through virtual servers of ours, or come from an address of the link. */
export function isInUse(family: Family, { ipvs, ipset, route }: IpvsSockets): boolean {
  const servers = ownServers(family, ipvs, knownSets(family, ipset), [])
  const isBusy = (server: VirtualServer) =>
    ipvs.realServers(server).some((real) => real.activeConnections + real.inactiveConnections > 0)
  if (servers.some(isBusy)) return true
  const bound = boundAddresses(family, route)
  return bound.size > 0 && listFlows(family, tcp).some(({ original }) => bound.has(original.source))
}

/**
 * As long as an address is the machine's own, the node's connections to it come from it too, whatever rules then do with
 * them. From now on they come from the node's other address, so that one day nothing is left that needs this one.
 */
export function retireAddresses(family: Family, route: Route): void {
  const source = nodeAddress(family, route)
  if (source === undefined) return
  for (const ip of boundAddresses(family, route)) {
    route.replaceRoute({ ...localRoute(ip, 'lo'), source })
    route.deleteRoute(localRoute(ip, dummyLink))
  }
}

/** Of the link that leads out of the machine. */
function nodeAddress(family: Family, route: Route): Ip | undefined {
  const out = route.routes({ family }).find(({ destination, link }) => destination === 'default' && link !== undefined)
  const name = out?.link === undefined ? undefined : route.link(out.link)?.name
  if (name === undefined) return undefined
  return out?.source ?? route.addresses({ family, link: name }).find(({ scope }) => scope === 'global')?.ip
}

const knownSets = (family: Family, ipset: Ipset): KnownSets =>
  new Map(setKeys.map((key) => [key, new Set(ipset.entries(setName(key, family)))]))

/** Virtual servers that the sets name, and that are in none of the excluded networks. */
export function ownServers(
  family: Family,
  ipvs: Ipvs,
  sets: KnownSets,
  excludeCidrs: readonly string[],
): VirtualServer[] {
  const excluded = excludeCidrs.flatMap((text) => parseCidr(text) ?? [])
  const names = (key: SetKey, entry: string) => sets.get(key)?.has(entry) ?? false
  return ipvs.virtualServers().filter(({ protocol, address, port }) => {
    if (address.includes(':') !== (family === 6)) return false
    if (excluded.some((cidr) => containsIp(cidr, address))) return false
    if (frontSets.some((key) => names(key, `${address},${protocol}:${port}`))) return true
    return protocol !== 'sctp' && names(protocol === 'tcp' ? 'NODE-PORT-TCP' : 'NODE-PORT-UDP', `${port}`)
  })
}

/** Sets that name virtual servers by address and port. */
const frontSets = [
  'CLUSTER-IP',
  'EXTERNAL-IP',
  'EXTERNAL-IP-LOCAL',
  'LOAD-BALANCER',
  'NODE-PORT-SCTP-HASH',
] as const satisfies readonly SetKey[]

/** Addresses of Services on the link. */
export const boundAddresses = (family: Family, route: Route): ReadonlySet<Ip> =>
  new Set(
    route
      .addresses({ family, link: dummyLink })
      .filter(({ scope }) => scope === 'global')
      .map(({ ip }) => ip),
  )

export const bind = (ip: Ip, route: Route): void =>
  route.addAddress({ link: dummyLink, cidr: `${ip}/${ip.includes(':') ? 128 : 32}` })

export function unbind(ip: Ip, route: Route): void {
  route.deleteAddress({ link: dummyLink, cidr: `${ip}/${ip.includes(':') ? 128 : 32}` })
  // The one that an address gets when it is retired is not the kernel's to remove.
  route.deleteRoute(localRoute(ip, 'lo'))
}

const tcp = 6
/** The kernel's table of its own addresses, and its number as who set a route (linux/rtnetlink.h). */
const [localTable, byKernel] = [255, 2]
const localRoute = (ip: Ip, link: string) =>
  ({
    destination: `${ip}/${ip.includes(':') ? 128 : 32}`,
    link,
    table: localTable,
    type: 'local',
    protocol: byKernel,
    scope: 'host',
  }) as const
