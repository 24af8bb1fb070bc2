// effect: netlink, HTTP requests
// Keeps the appliance's rules equal to the Services that it serves and the nodes that are well. The rules stay when it
// ends, and the next run takes them over.

import { nodes as nodeResource, services as serviceResource } from '#api/core.ts'
import { ownAddresses, writeRoutes } from '#balancer/appliance/data-plane.ts'
import { planAppliance, type Standing, standingOf } from '#balancer/appliance/plan.ts'
import { startProber } from '#balancer/appliance/prober.ts'
import type { AddressPool } from '#balancer/pool/address-pool.ts'
import { type Served, serves } from '#balancer/provider.ts'
import type { Caches } from '#client/control/caches.ts'
import type { Controller } from '#client/control/controller.ts'
import { createLoop } from '#daemon/loop.ts'
import { equalJson } from '#lib/equal.ts'

export type ApplianceOptions = {
  readonly pool: AddressPool
  /** the interface that gets the addresses */
  readonly link: string
  /** told of every look at who is in and who is out */
  onStandings(standings: readonly Standing[]): void
}

export function applianceController(
  { pool, link, onStandings }: ApplianceOptions,
  makeServed: (caches: Caches) => Served,
): Controller<undefined> {
  return {
    name: 'appliance',
    async start({ caches, clock, log, signal }) {
      const services = caches.of(serviceResource)
      const nodes = caches.of(nodeResource)
      const served = makeServed(caches)
      let written: unknown
      const loop = createLoop({
        name: 'appliance',
        clock,
        log,
        // Somebody may have taken a rule or an address away.
        resyncMs: 10_000,
        onResync: () => ['resync'],
        async act(keys) {
          const own = [...services.values()].filter((service) => serves(served, service))
          const { frontends, backends } = planAppliance(own, nodes.values(), pool)
          prober.want(backends.flatMap(({ check }) => check ?? []))
          const standings = backends.map((backend) => ({ backend, standing: standingOf(backend, prober.health) }))
          onStandings(standings.map(({ standing }) => standing))
          // What an earlier process has written holds until every node has been asked.
          const isKnown = backends.every(({ check }) => check === undefined || prober.health.has(check))
          if (written === undefined && !isKnown) return
          const routes = frontends.map((frontend) => ({
            ...frontend,
            nodes: standings
              .filter(({ backend, standing }) => standing.isIn && backend.service === frontend.service)
              .map(({ backend }) => backend.ip)
              .filter((ip) => ip.includes(':') === frontend.ip.includes(':')),
          }))
          if (equalJson(routes, written) && !keys.has('resync')) return
          writeRoutes(routes)
          ownAddresses(link, new Set(routes.map(({ ip }) => ip)), pool)
          if (!equalJson(routes, written)) log.info('rules written', { ports: routes.length })
          written = routes
        },
      })
      const prober = startProber(clock, signal, () => loop.mark('health'))
      services.listen(() => loop.mark('services'))
      nodes.listen(() => loop.mark('nodes'))
      await caches.synced()
      await loop.run(signal)
    },
  }
}
