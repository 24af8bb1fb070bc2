// effect: the announcer as a process: packet sockets, requests to the API server
import type { ApiObject } from '#api/meta.ts'
import { type Node, nodes as nodeResource, type Service, services as serviceResource } from '#api/core.ts'
import { type EndpointSlice, endpointSlices } from '#api/discovery.ts'
import type { Resource } from '#api/resource.ts'
import { type Announcer, startAnnouncer } from '#balancer/announce/announcer.ts'
import { type Candidacy, planCandidates } from '#balancer/announce/plan.ts'
import type { AddressPool } from '#balancer/pool/address-pool.ts'
import type { Client } from '#client/client.ts'
import { createCaches } from '#client/control/caches.ts'
import { withoutManagedFields } from '#client/control/managed-fields.ts'
import type { Store } from '#client/control/store.ts'
import type { Address } from '#daemon/flags.ts'
import { serveHealth } from '#daemon/health.ts'
import { createLoop } from '#daemon/loop.ts'
import type { PartContext } from '#daemon/part.ts'
import { encodeMac } from '#kernel/route/mac.ts'
import { openRoute } from '#kernel/route/open-route.ts'
import { containsIp, type Cidr } from '#lib/cidr.ts'
import { fnv32a } from '#lib/hash.ts'
import { parseIp } from '#lib/ip.ts'

export type AnnouncerOptions = {
  readonly client: Client
  readonly nodeName: string
  readonly pool: AddressPool
  /** /healthz, /readyz, /metrics; undefined: nowhere */
  readonly health: Address | undefined
}
export const announcerHealth: Address = { host: '0.0.0.0', port: 8473 }

/** An interface of this machine, and the networks that it is in. */
type Segment = {
  readonly link: number
  readonly name: string
  readonly mac: Uint8Array
  readonly networks: readonly Cidr[]
}

/** Answers for addresses of the pool that are this node's to answer for, until the signal aborts. */
export async function run({ client, nodeName, pool, health }: AnnouncerOptions, context: PartContext): Promise<void> {
  const { clock, log, registry, signal } = context
  const owned = registry.gauge('fairway_announcer_addresses', 'Load balancer addresses that this node answers for.')
  owned.set(0)
  const caches = createCaches({ client, signal, log, clock, slimOf })
  // Who could answer matters once there is an address; which nodes have endpoints, to policy Local alone.
  let nodes: Store<Node> | undefined
  let slices: Store<EndpointSlice> | undefined
  const announcers = new Map<number, Announcer>()
  let trouble: string | undefined

  const loop = createLoop({
    name: 'announcer',
    clock,
    log,
    // An interface that was missing may have come up.
    resyncMs: 5000,
    onResync: () => (trouble === undefined ? [] : ['interfaces']),
    async act() {
      if (!nodes && [...services.values()].some(isBalanced)) nodes = follow(caches.of(nodeResource))
      if (!slices && [...services.values()].some(isLocal)) slices = follow(caches.of(endpointSlices))
      if (!caches.areSynced) return
      const candidacies = planCandidates(services.values(), slices?.values() ?? [], nodes?.values() ?? [], pool)
      const segments = candidacies.length > 0 ? observeSegments() : []
      const lost = candidacies.filter((one) => !segments.some((segment) => isIn(one, segment))).map(({ ip }) => ip)
      trouble = lost.length > 0 ? `no interface is in the network of ${lost.join(', ')}` : undefined
      for (const segment of segments) {
        const own = candidacies.filter((one) => isIn(one, segment))
        const announcer = announcers.get(segment.link) ?? (own.length > 0 ? start(segment) : undefined)
        announcer?.want(own)
      }
      // Nothing to answer for: its sockets are closed, which costs nothing at all.
      for (const [link, announcer] of announcers)
        if (!segments.some((segment) => segment.link === link && candidacies.some((one) => isIn(one, segment)))) {
          announcers.delete(link)
          announcer[Symbol.dispose]()
          owned.set(countOwned(announcers))
        }
    },
  })
  const start = ({ link, name, mac }: Segment): Announcer => {
    log.info('announcing on interface', { interface: name })
    const announcer = startAnnouncer({
      node: nodeName,
      group: fnv32a(pool.text),
      link,
      mac,
      clock,
      log,
      onOwned: () => owned.set(countOwned(announcers)),
      onEnd: (code) => {
        log.warn('the interface has ended: will look again', { interface: name, code })
        announcers.delete(link)
        announcer[Symbol.dispose]()
        clock.after(1000, () => loop.mark('interface'))
      },
    })
    announcers.set(link, announcer)
    return announcer
  }

  const follow = <T extends ApiObject>(store: Store<T>): Store<T> => {
    store.listen(() => loop.mark('objects'))
    void caches.synced().then(
      () => loop.mark('synced'),
      () => undefined,
    )
    return store
  }
  const services = follow(caches.of(serviceResource))
  if (health !== undefined)
    await serveHealth({
      address: health.host,
      port: health.port,
      checks: {
        caches: () => (caches.areSynced ? undefined : 'caches are not synced yet'),
        interfaces: () => trouble,
      },
      notLive: ['caches', 'interfaces'],
      registry,
      signal,
    })
  await loop.run(signal)
  for (const announcer of announcers.values()) announcer[Symbol.dispose]()
}

const isBalanced = ({ spec }: Service): boolean => spec?.type === 'LoadBalancer'
const isLocal = (service: Service): boolean => isBalanced(service) && service.spec?.externalTrafficPolicy === 'Local'

const countOwned = (announcers: ReadonlyMap<number, Announcer>): number =>
  [...announcers.values()].reduce((sum, { owned }) => sum + owned.size, 0)

const isIn = ({ ip }: Candidacy, { networks }: Segment): boolean => networks.some((network) => containsIp(network, ip))

/** Only what the plan reads; of Services without a load balancer nothing but the name. */
function slimOf(resource: Resource): (object: ApiObject) => ApiObject {
  return (object) => {
    const { annotations: _, ...metadata } = withoutManagedFields(object).metadata ?? {}
    if (resource.plural !== 'services') return { ...object, metadata } as ApiObject
    const { spec, status } = object as { spec?: { type?: string }; status?: object }
    const kept = spec?.type === 'LoadBalancer' ? { metadata, spec, status } : { metadata, spec: {} }
    return kept as ApiObject
  }
}

/** Interfaces that can ask for neighbours. */
function observeSegments(): readonly Segment[] {
  using route = openRoute()
  const addresses = route.addresses()
  return route
    .links()
    .filter(({ up, loopback, mac }) => up && !loopback && mac !== undefined)
    .map(({ index, name, mac }) => ({
      link: index,
      name,
      mac: encodeMac(mac!),
      networks: addresses
        .filter(({ link, scope }) => link === index && scope === 'global')
        .map(({ ip, prefix }) => ({ base: parseIp(ip)!, prefix })),
    }))
}
