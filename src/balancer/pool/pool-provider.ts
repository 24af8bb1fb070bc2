// Providers whose only record is the Service's status: an address of a pool.

import { type Service, services } from '#api/core.ts'
import type { Stored } from '#api/stored.ts'
import { addressesOf, type AddressPool, chooseAddresses } from '#balancer/pool/address-pool.ts'
import type { Balancer, Provider } from '#balancer/provider.ts'
import type { Caches } from '#client/control/caches.ts'

/**
 * `pool`: the nodes themselves announce the address (announce/), and each one's proxy knows what to do with its packets.
 * `appliance`: a machine of its own has the address and sends to NodePorts (appliance/), so the nodes must leave it alone.
 */
export type PoolProviderName = 'pool' | 'appliance'
const ipModes = { pool: 'VIP', appliance: 'Proxy' } as const

const classOf = (name: PoolProviderName): string => `fairway/${name}`

export function poolProvider(name: PoolProviderName, pool: AddressPool, caches: Caches): Provider {
  const all = caches.of(services)
  const balancer = (ips: readonly string[]): Balancer => ({ ingress: ips.map((ip) => ({ ip, ipMode: ipModes[name] })) })
  return {
    name,
    class: classOf(name),
    get: async (service) => {
      const ips = addressesOf(service as Service, pool)
      return ips.length > 0 ? balancer(ips) : undefined
    },
    ensure: async (service) => {
      const problem = name === 'appliance' ? whyUnreachable(service) : undefined
      if (problem !== undefined) throw new Error(problem)
      const chosen = chooseAddresses(service, all.values(), pool)
      if ('problem' in chosen) throw new Error(chosen.problem)
      return balancer(chosen.ips)
    },
    // Announcers and the appliance watch nodes and Services themselves.
    update: async () => {},
    ensureDeleted: async () => {},
  }
}

function whyUnreachable({ spec }: Stored<Service>): string | undefined {
  const without = (spec.ports ?? []).filter(({ nodePort }) => !nodePort)
  if (without.length === 0) return undefined
  const ports = without.map(({ name, port }) => name ?? port).join(', ')
  return `the appliance sends to node ports, and port ${ports} has none: leave allocateLoadBalancerNodePorts true`
}
