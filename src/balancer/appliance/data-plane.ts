// effect: netlink (addresses, nftables)
// Makes the machine listen for the addresses of load balancers, and sends what comes to the nodes.

import { type AddressPool, isInPool } from '#balancer/pool/address-pool.ts'
import { planRules, type Route, table } from '#balancer/appliance/rules.ts'
import { openNftables } from '#kernel/nftables/nftables.ts'
import { openRoute } from '#kernel/route/open-route.ts'
import { ipFamily } from '#lib/ip.ts'

/** Gives the interface exactly these addresses of the pool; others of it stay as they are. */
export function ownAddresses(link: string, ips: ReadonlySet<string>, pool: AddressPool, netns?: string): void {
  using route = openRoute(netns)
  const there = new Set<string>()
  for (const { ip, prefix } of route.addresses({ link })) {
    if (!isInPool(ip, pool)) continue
    if (ips.has(ip)) there.add(ip)
    else route.deleteAddress({ link, cidr: `${ip}/${prefix}` })
  }
  for (const ip of ips) if (!there.has(ip)) route.addAddress({ link, cidr: `${ip}/${ipFamily(ip) === 4 ? 32 : 128}` })
}

/** Throws NftablesError. */
export function writeRoutes(routes: readonly Route[], netns?: string): void {
  for (const family of [4, 6] as const) {
    using nftables = openNftables(family, netns)
    const own = routes.filter(({ ip }) => ipFamily(ip) === family)
    nftables.commit(planRules(family, own, nftables.table(table) !== undefined))
  }
}
