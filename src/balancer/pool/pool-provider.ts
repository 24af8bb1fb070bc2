// The provider `pool`: a Service gets an address of a pool; the nodes themselves announce it (announce/) and their proxy
// knows what to do with its packets. So the only thing to keep is the Service's status.

import { type Service, services } from '#api/core.ts'
import { addressesOf, type AddressPool, chooseAddresses } from '#balancer/pool/address-pool.ts'
import type { Balancer, Provider } from '#balancer/provider.ts'
import type { Caches } from '#client/control/caches.ts'

export const poolClass = 'fairway/pool'

export function poolProvider(pool: AddressPool, caches: Caches): Provider {
  const all = caches.of(services)
  const balancer = (ips: readonly string[]): Balancer => ({ ingress: ips.map((ip) => ({ ip, ipMode: 'VIP' })) })
  return {
    name: 'pool',
    class: poolClass,
    get: async (service) => {
      const ips = addressesOf(service as Service, pool)
      return ips.length > 0 ? balancer(ips) : undefined
    },
    ensure: async (service) => {
      const chosen = chooseAddresses(service, all.values(), pool)
      if ('problem' in chosen) throw new Error(chosen.problem)
      return balancer(chosen.ips)
    },
    // Every node takes in what is sent to the address.
    update: async () => {},
    ensureDeleted: async () => {},
  }
}
