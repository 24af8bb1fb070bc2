// Two nodes with a proxy each, and objects that come and go: what an API server and its informers would make of them.
import type { Service } from '#api/core.ts'
import type { EndpointSlice } from '#api/discovery.ts'
import { systemClock } from '#daemon/clock.ts'
import { silentLog } from '#daemon/log.ts'
import { createRegistry } from '#daemon/metrics.ts'
import type { Dataplane } from '#proxy/dataplane.ts'
import { FamilyProxy } from '#proxy/family-proxy.ts'
import { ServiceHealthServer } from '#proxy/health/service-health-server.ts'
import { createProxyMetrics } from '#proxy/metrics.ts'
import { ServiceCache } from '#proxy/service-cache.ts'
import { type Family, type NodePlace, viewService, viewSlice } from '#proxy/state.ts'
import type { ProxyTestMode } from '#test/proxy-modes.ts'
import { addresses, createProxyTopology, type Name } from '#test/proxy-topology.ts'
import type { Topology } from '#test/topology.ts'
import { visibleToProxy } from '#test/yaml-objects.ts'

type Spec = NonNullable<Service['spec']>
const families: readonly Family[] = [4, 6]
const nodes = {
  node1: { name: 'node-1', zone: 'zone-1', ips: addresses.node1 },
  node2: { name: 'node-2', zone: 'zone-2', ips: addresses.node2 },
} as const satisfies Record<string, NodePlace>
const nodeOf: Readonly<Record<string, string>> = {
  a: 'node-1',
  b: 'node-1',
  c: 'node-2',
  node1: 'node-1',
  node2: 'node-2',
}

export const webPorts = [
  { name: 'tcp', port: 80, protocol: 'TCP' },
  { name: 'udp', port: 80, protocol: 'UDP' },
]

export class ProxyCluster implements AsyncDisposable {
  readonly net: Topology<Name>
  #mode: ProxyTestMode
  #planes: Dataplane[] = []
  readonly #services = new Map<string, Service>()
  readonly #slices = new Map<string, EndpointSlice>()
  readonly #cache = new ServiceCache()
  #proxies: FamilyProxy[] = []

  private constructor(net: Topology<Name>, mode: ProxyTestMode) {
    this.net = net
    this.#mode = mode
  }

  /** Every pod and node serves TCP and UDP on 8080 and 8081. */
  static async start(mode: ProxyTestMode): Promise<ProxyCluster> {
    const net = await createProxyTopology()
    for (const place of ['a', 'b', 'c', 'node1'] as const) await net[place].serve(8080, 8081)
    const cluster = new ProxyCluster(net, mode)
    await cluster.restart()
    return cluster
  }

  /** New proxies, which find the rules of the old ones in place. */
  async restart(): Promise<void> {
    for (const proxy of this.#proxies) proxy[Symbol.dispose]()
    this.#proxies = []
    this.#planes = []
    for (const name of ['node1', 'node2'] as const)
      for (const family of families) {
        const { netns, route } = this.net[name]
        const plane = await this.#mode.open(family, netns)
        this.#planes.push(plane)
        const proxy = new FamilyProxy(plane, nodes[name], undefined, {
          clock: systemClock,
          log: silentLog,
          metrics: createProxyMetrics(createRegistry()),
          services: this.#cache,
          health: new ServiceHealthServer({
            addresses: [],
            log: silentLog,
            nodeName: nodes[name].name,
            isProxyHealthy: () => true,
            onFailure: () => undefined,
          }),
          netns,
          machineIps: () => route.addresses().map(({ ip }) => ip),
          onWithheld: () => undefined,
          onConflict: () => undefined,
        })
        this.#proxies.push(proxy)
        await proxy.sync([])
      }
  }

  /** The other mode's rules come, then those of the old one go. */
  async switchTo(mode: ProxyTestMode): Promise<void> {
    const [old, planes] = [this.#proxies, this.#planes]
    this.#proxies = []
    this.#mode = mode
    await this.restart()
    for (const plane of planes) await plane.remove()
    for (const proxy of old) proxy[Symbol.dispose]()
  }

  /** A Service with cluster IPs `10.96.0.I` and `fd00:96::I`, TCP and UDP on port 80 where `spec` names no ports. */
  async service(name: string, i: number, spec: Partial<Spec> = {}, labels = {}, status: Service['status'] = {}) {
    const ips = [`10.96.0.${i}`, `fd00:96::${i}`]
    const own: Spec =
      spec.type === 'ExternalName'
        ? spec
        : { type: 'ClusterIP', clusterIP: ips[0]!, clusterIPs: ips, ports: webPorts, ...spec }
    this.#services.set(name, { metadata: { namespace: 'demo', name, labels }, spec: own, status })
    await this.#sync(name)
  }

  /**
   * The endpoints of a Service, by places: `a` is ready, `~a` serves while it terminates, `!a` is not ready, `a#node-1`
   * and `a%zone-1` carry a hint. `slice`: which of several slices.
   */
  async endpoints(service: string, words: string, options: SliceOptions = {}): Promise<void> {
    for (const family of families) {
      const name = `${service}-${options.slice ?? ''}${family}`
      this.#slices.set(name, sliceOf(service, name, words.split(' ').filter(Boolean), family, options))
    }
    await this.#sync(service)
  }

  async remove(name: string): Promise<void> {
    this.#services.delete(name)
    for (const [slice, { metadata }] of this.#slices)
      if (metadata?.labels?.['kubernetes.io/service-name'] === name) this.#slices.delete(slice)
    await this.#sync(name)
  }

  /** The objects of a Service, as they are at the moment. */
  objects(name: string): { readonly service: Service | undefined; readonly slices: readonly EndpointSlice[] } {
    const slices = [...this.#slices.values()].filter(
      ({ metadata }) => metadata?.labels?.['kubernetes.io/service-name'] === name,
    )
    return { service: this.#services.get(name), slices }
  }

  /** Removes all Services. */
  async clear(): Promise<void> {
    for (const name of this.#services.keys()) await this.remove(name)
  }

  async #sync(name: string): Promise<void> {
    const key = `demo/${name}`
    const { services, slices } = visibleToProxy({
      services: [...this.#services.values()],
      slices: [...this.#slices.values()],
      nodes: [],
    })
    const service = services.find(({ metadata }) => metadata?.name === name)
    this.#cache.setService(key, service && viewService(service))
    for (const { name: known } of this.#cache.slices(key)) this.#cache.setSlice(key, known, undefined)
    for (const slice of slices) {
      const view = viewSlice(slice)
      if (view?.service === key) this.#cache.setSlice(key, view.name, view)
    }
    for (const proxy of this.#proxies) await proxy.sync([key])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const proxy of this.#proxies) proxy[Symbol.dispose]()
    await this.net[Symbol.asyncDispose]()
  }
}

type SliceOptions = {
  readonly slice?: string
  readonly ports?: EndpointSlice['ports']
  readonly labels?: Readonly<Record<string, string>>
}
const slicePorts = [
  { name: 'tcp', port: 8080, protocol: 'TCP' },
  { name: 'udp', port: 8080, protocol: 'UDP' },
]

function sliceOf(
  service: string,
  name: string,
  words: readonly string[],
  family: Family,
  { ports = slicePorts, labels = {} }: SliceOptions,
): EndpointSlice {
  return {
    metadata: { namespace: 'demo', name, labels: { 'kubernetes.io/service-name': service, ...labels } },
    addressType: `IPv${family}`,
    ports,
    endpoints: words.map((word) => {
      const [, sign, place = '', , node, , zone] = /^([~!]?)(\w+)(#([\w-]+))?(%([\w-]+))?$/.exec(word)!
      return {
        addresses: [addresses[place as keyof typeof addresses][family]],
        nodeName: nodeOf[place]!,
        conditions: { ready: sign === '', serving: sign !== '!', terminating: sign === '~' },
        hints: { ...(node && { forNodes: [{ name: node }] }), ...(zone && { forZones: [{ name: zone }] }) },
      }
    }),
  }
}
