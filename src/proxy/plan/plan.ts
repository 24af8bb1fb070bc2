// What each address and port of a Service does on this node: the one plan that every mode writes into the kernel in its
// own words. Rules of Kubernetes 1.36 for traffic policies, terminating endpoints, hints, affinity and source ranges.
import { containsIp, parseCidr } from '#lib/cidr.ts'
import { ipFamily, type Ip } from '#lib/ip.ts'
import { chooseCluster, chooseLocal, hasUsable } from '#proxy/plan/choose.ts'
import { type Endpoint, mergeSlices, portKey } from '#proxy/plan/endpoints.ts'
import { type Guard, noGuard, type Withheld } from '#proxy/plan/guard.ts'
import { type Family, type NodePlace, type Policy, type PortView, portName } from '#proxy/state.ts'
import type { Protocol, ServiceView, SliceView } from '#proxy/state.ts'

/** One port of a Service in one address family. */
export type PortPlan = {
  /** `namespace/name:port` */
  readonly name: string
  /** `namespace/name` */
  readonly service: string
  readonly protocol: Protocol
  /** the cluster IP and the port that it listens on, as do the external addresses */
  readonly clusterIp: Ip
  readonly port: number
  /** what becomes of a packet to the cluster IP */
  readonly internal: Way
  /**
   * What becomes of a packet to one of the external fronts that comes from outside. With policy `local`, packets from
   * pods of this cluster and from the node itself go to `cluster` endpoints all the same, as if they had gone out
   * through the load balancer; those from the node need masquerading. With policy `cluster`, all need it.
   */
  readonly external: Way
  readonly fronts: readonly Front[]
  /** fronts that would take something from the node; only where there are any */
  readonly withheld?: readonly Withheld[]
  /** set where load balancer fronts take packets from these CIDRs only */
  readonly sources?: { readonly ranges: readonly string[]; readonly includeNode: boolean }
  /** where `internal` or `external` may send packets; empty where no policy asks for it */
  readonly cluster: readonly Endpoint[]
  readonly local: readonly Endpoint[]
  /** 0: none */
  readonly affinitySeconds: number
  /** this node tells load balancers there whether it has endpoints; 0: none */
  readonly healthCheckNodePort: number
  /** all endpoints, ready or not */
  readonly all: readonly Endpoint[]
}

/**
 * `balance`: to one of the endpoints of the policy. `reject`: there are none anywhere, the client shall know at once.
 * `drop`: there are some, but none on this node, and the policy is `local`.
 */
export type Way = { readonly policy: Policy; readonly verdict: 'balance' | 'reject' | 'drop' }

/** What leads to the port besides its cluster IP. */
export type Front =
  | { readonly kind: 'external-ip'; readonly address: Ip }
  | { readonly kind: 'load-balancer'; readonly address: Ip }
  | { readonly kind: 'node-port'; readonly port: number }

/** The ports of a Service in one family; none where it has no cluster IP of that family. */
export function planService(
  service: ServiceView,
  slices: Iterable<SliceView>,
  family: Family,
  node: NodePlace,
  guard: Guard = noGuard,
): readonly PortPlan[] {
  const clusterIp = service.clusterIp[family]
  if (clusterIp === undefined) return []
  const endpoints = mergeSlices(slices, family, node.name)
  const seen = new Set<string>()
  return service.ports.flatMap((port) => {
    const key = portKey(port.name, port.protocol)
    if (seen.has(key)) return []
    seen.add(key)
    return planPort(service, port, clusterIp, endpoints.get(key) ?? [], family, node, guard)
  })
}

function planPort(
  service: ServiceView,
  port: PortView,
  clusterIp: Ip,
  all: readonly Endpoint[],
  family: Family,
  node: NodePlace,
  guard: Guard,
): PortPlan {
  const wanted = planFronts(service, port, family)
  const withheld = wanted.flatMap((front) => guard(front, port.protocol, port.port) ?? [])
  const fronts = wanted.filter((front) => withheld.every((one) => one.front !== front))
  const { internalPolicy, externalPolicy, affinitySeconds, healthCheckNodePort } = service
  const usesCluster = internalPolicy === 'cluster' || fronts.length > 0
  const usesLocal = internalPolicy === 'local' || (externalPolicy === 'local' && fronts.length > 0)
  const cluster = usesCluster ? chooseCluster(all, { node: node.name, zone: node.zone }) : none
  const local = usesLocal ? chooseLocal(all) : none
  const wayOf = (policy: Policy): Way =>
    ways[policy][!hasUsable(all) ? 'reject' : policy === 'local' && local.length === 0 ? 'drop' : 'balance']
  const sources = fronts.some(({ kind }) => kind === 'load-balancer') && planSources(service, family, node)
  return {
    name: portName(service.key, port.name),
    service: service.key,
    protocol: port.protocol,
    clusterIp,
    port: port.port,
    internal: wayOf(internalPolicy),
    external: wayOf(externalPolicy),
    fronts,
    ...(withheld.length > 0 && { withheld }),
    ...(sources && { sources }),
    cluster,
    local,
    affinitySeconds,
    healthCheckNodePort,
    all,
  }
}

/** There are so few that all plans share them. */
const waysOf = (policy: Policy) => ({
  balance: { policy, verdict: 'balance' } as const,
  reject: { policy, verdict: 'reject' } as const,
  drop: { policy, verdict: 'drop' } as const,
})
const ways = { cluster: waysOf('cluster'), local: waysOf('local') } as const
const none: readonly never[] = []

function planFronts(service: ServiceView, port: PortView, family: Family): readonly Front[] {
  const ours = (ip: Ip) => ipFamily(ip) === family
  if (port.nodePort === 0 && service.externalIps.length + service.balancerIps.length === 0) return none
  return [
    ...service.externalIps.filter(ours).map((address): Front => ({ kind: 'external-ip', address })),
    ...service.balancerIps.filter(ours).map((address): Front => ({ kind: 'load-balancer', address })),
    ...(port.nodePort === 0 ? [] : [{ kind: 'node-port', port: port.nodePort } satisfies Front]),
  ]
}

/**
 * A node that is itself in range may reach the virtual IPs from them: they are often addresses of the node, so that a
 * packet to one comes from it.
 */
function planSources({ sourceRanges }: ServiceView, family: Family, node: NodePlace): PortPlan['sources'] {
  const ranges = sourceRanges.filter((range) => range.includes(':') === (family === 6))
  if (ranges.length === 0) return undefined
  const ip = node.ips[family]
  const holdsNode = (range: string) => {
    const cidr = parseCidr(range)
    return ip !== undefined && cidr !== undefined && containsIp(cidr, ip)
  }
  return { ranges, includeNode: ranges.some(holdsNode) }
}

/** The endpoints that any packet may be sent to from here, each once. */
export function reachable({ cluster, local }: PortPlan): readonly Endpoint[] {
  if (local.length === 0) return cluster
  const addresses = new Set(cluster.map(({ address }) => address))
  return [...cluster, ...local.filter(({ address }) => !addresses.has(address))]
}
