// effect: netlink sockets
// Takes away what IPVS mode has in the kernel besides iptables rules. The link goes last: as long as it is there, there
// may be more.
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

/** Whether connections still pass through virtual servers of ours. */
export function isInUse(family: Family, ipvs: Ipvs, ipset: Ipset): boolean {
  return ownServers(family, ipvs, knownSets(family, ipset), []).some((server) =>
    ipvs.realServers(server).some((real) => real.activeConnections + real.inactiveConnections > 0),
  )
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

export const unbind = (ip: Ip, route: Route): boolean =>
  route.deleteAddress({ link: dummyLink, cidr: `${ip}/${ip.includes(':') ? 128 : 32}` })
