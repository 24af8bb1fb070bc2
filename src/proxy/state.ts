// The slim views of API objects that rules are planned from. Objects are cut down to these at the door of the cache;
// nothing behind it knows the API's types. What an object says that cannot be programmed is left out and told as a
// problem, so that one bad object never spoils the rules of the others.
import type { LoadBalancerIngress, Node, Service, ServicePort } from '#api/core.ts'
import type { Endpoint, EndpointSlice } from '#api/discovery.ts'
import { canonicalCidr } from '#lib/cidr.ts'
import { canonicalIp, ipFamily, type Ip } from '#lib/ip.ts'

export type Family = 4 | 6
export type Protocol = 'tcp' | 'udp' | 'sctp'
/** At most one value for each address family. */
export type ByFamily<T> = { readonly 4?: T; readonly 6?: T }

export type ServiceView = {
  /** `namespace/name` */
  readonly key: string
  readonly uid: string
  readonly clusterIp: ByFamily<Ip>
  readonly ports: readonly PortView[]
  /** of both families */
  readonly externalIps: readonly Ip[]
  /** addresses of the load balancer that arrive at the node as they are (ipMode VIP) */
  readonly balancerIps: readonly Ip[]
  /** canonical CIDRs of both families; empty: any source */
  readonly sourceRanges: readonly string[]
  readonly internalPolicy: Policy
  readonly externalPolicy: Policy
  /** how long a client stays with its endpoint; 0: no affinity */
  readonly affinitySeconds: number
  /** 0: none */
  readonly healthCheckNodePort: number
  readonly problems: readonly string[]
}

/** Which endpoints a packet may go to: all of the cluster, or those on this node. */
export type Policy = 'cluster' | 'local'

export type PortView = {
  readonly name: string
  readonly protocol: Protocol
  readonly port: number
  /** 0: none */
  readonly nodePort: number
}

export type SliceView = {
  readonly name: string
  readonly uid: string
  /** `namespace/name` of its Service */
  readonly service: string
  readonly family: Family
  readonly ports: readonly { readonly name: string; readonly protocol: Protocol; readonly port: number }[]
  readonly endpoints: readonly EndpointView[]
  /** when the pods changed that made the slice change, in milliseconds since 1970 */
  readonly changedAt?: number
  readonly problems: readonly string[]
}

export type EndpointView = {
  readonly ip: Ip
  readonly node: string | undefined
  /** takes new connections: ready and not terminating, or its Service publishes addresses that are not ready */
  readonly ready: boolean
  readonly serving: boolean
  readonly terminating: boolean
  /** the zones and nodes that it shall serve first; empty: no hint */
  readonly zones: readonly string[]
  readonly nodes: readonly string[]
}

/** What plans depend on. */
export type NodePlace = { readonly name: string; readonly zone: string; readonly ips: ByFamily<Ip> }

export type NodeView = NodePlace & {
  /** all of its addresses, inside and outside the cluster */
  readonly addresses: readonly Ip[]
  /** addresses of the other nodes, where they are asked for */
  readonly peers: readonly Ip[]
  readonly podCidrs: readonly string[]
  /** the cluster's ranges of cluster IPs, where they are asked for */
  readonly serviceCidrs: readonly string[]
  /** no new connections from load balancers: the node is being deleted */
  readonly leaving: boolean
}

/** How Kubernetes writes the name of a port of a Service: `namespace/name:port`, without the colon where it has none. */
export const portName = (service: string, port: string): string => (port === '' ? service : `${service}:${port}`)

/** `ip:port`, with brackets around an IPv6 address. */
export const socketAddress = (ip: Ip, port: number): string => (ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`)

const protocols: Readonly<Record<string, Protocol>> = { TCP: 'tcp', UDP: 'udp', SCTP: 'sctp' }
const isPort = (port: number | undefined): port is number =>
  port !== undefined && Number.isInteger(port) && port >= 1 && port <= 65535

/** One list for all that have none. */
const none: readonly never[] = []

/** As `flatMap`, and takes no more memory than it has to: there are many of these lists. */
function mapped<T, U>(list: readonly T[] | null | undefined, map: (of: T) => U | readonly U[]): readonly U[] {
  // A list without a value is null where Kubernetes does not leave it out: the endpoints and ports of a slice.
  if (list === undefined || list === null || list.length === 0) return none
  const all = list.flatMap(map as (of: T) => U | U[])
  return all.length === 0 ? none : all.slice()
}

/** Undefined for a Service that no proxy serves: headless, ExternalName, without an address as yet. */
export function viewService({ metadata, spec, status }: Service): ServiceView | undefined {
  if (!spec?.clusterIP || spec.clusterIP === 'None' || spec.type === 'ExternalName') return undefined
  const problems: string[] = []
  const addresses = (texts: readonly string[] | undefined, what: string): readonly Ip[] =>
    mapped(texts, (text) => {
      const ip = canonicalIp(text)
      if (ip === undefined && text.trim() !== '') problems.push(`${what} ${text} is not an IP address`)
      return ip ?? []
    })
  const external = isExternal(spec.type, spec.externalIPs)
  const externalPolicy = external && spec.externalTrafficPolicy === 'Local' ? 'local' : 'cluster'
  return {
    key: `${metadata?.namespace ?? ''}/${metadata?.name ?? ''}`,
    uid: metadata?.uid ?? '',
    clusterIp: clusterIps(addresses(spec.clusterIPs?.length ? spec.clusterIPs : [spec.clusterIP], 'cluster IP')),
    ports: viewPorts(spec.ports, problems),
    externalIps: addresses(spec.externalIPs, 'external IP'),
    balancerIps: addresses(status?.loadBalancer?.ingress?.flatMap(virtualIp), 'load balancer IP'),
    sourceRanges: viewRanges(spec.loadBalancerSourceRanges, problems),
    internalPolicy: spec.internalTrafficPolicy === 'Local' ? 'local' : 'cluster',
    externalPolicy,
    affinitySeconds:
      spec.sessionAffinity === 'ClientIP' ? (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10800) : 0,
    healthCheckNodePort:
      spec.type === 'LoadBalancer' && externalPolicy === 'local' ? (spec.healthCheckNodePort ?? 0) : 0,
    problems: problems.length === 0 ? none : problems,
  }
}

const isExternal = (type: string | undefined, externalIps: readonly string[] | undefined) =>
  type === 'NodePort' || type === 'LoadBalancer' || (externalIps ?? []).length > 0

/** The API server lists one address a family, so their order does not matter here. */
function clusterIps(ips: readonly Ip[]): ByFamily<Ip> {
  const of = (family: Family) => ips.find((ip) => ipFamily(ip) === family)
  const [v4, v6] = [of(4), of(6)]
  // Written out, since objects that are put together take several times the memory.
  if (v4 !== undefined) return v6 === undefined ? { 4: v4 } : { 4: v4, 6: v6 }
  return v6 === undefined ? {} : { 6: v6 }
}

const virtualIp = ({ ip, ipMode }: LoadBalancerIngress): readonly string[] =>
  ip && (ipMode === undefined || ipMode === 'VIP') ? [ip] : []

function viewPorts(ports: readonly ServicePort[] | undefined, problems: string[]): readonly PortView[] {
  const seen = new Set<string>()
  return mapped(ports, ({ name = '', protocol = 'TCP', port, nodePort = 0 }) => {
    const known = protocols[protocol]
    if (known === undefined || !isPort(port)) {
      problems.push(known === undefined ? `unknown protocol ${protocol}` : `port ${port} is not between 1 and 65535`)
      return []
    }
    if (seen.has(`${port}/${protocol}`)) {
      problems.push(`port ${port}/${protocol} stands there twice`)
      return []
    }
    seen.add(`${port}/${protocol}`)
    if (nodePort !== 0 && !isPort(nodePort)) problems.push(`node port ${nodePort} is not between 1 and 65535`)
    return { name, protocol: known, port, nodePort: isPort(nodePort) ? nodePort : 0 }
  })
}

/** Blanks around a range are allowed by the API; a range of all addresses is the same as none. */
function viewRanges(texts: readonly string[] | undefined, problems: string[]): readonly string[] {
  const ranges = mapped(texts, (text) => {
    const range = canonicalCidr(text.trim())
    if (range === undefined && text.trim() !== '') problems.push(`source range ${text} is not a CIDR`)
    return range ?? []
  })
  const open = new Set(ranges.filter((range) => range.endsWith('/0')).map((range) => range.includes(':')))
  return open.size === 0 ? ranges : ranges.filter((range) => !open.has(range.includes(':')))
}

const serviceNameLabel = 'kubernetes.io/service-name'
const triggerAnnotation = 'endpoints.kubernetes.io/last-change-trigger-time'

/** Undefined for a slice that has no addresses (FQDN) or belongs to no Service. */
export function viewSlice({ metadata, addressType, endpoints, ports }: EndpointSlice): SliceView | undefined {
  const service = metadata?.labels?.[serviceNameLabel]
  const family = addressType === 'IPv4' ? 4 : addressType === 'IPv6' ? 6 : undefined
  if (!service || family === undefined) return undefined
  const problems: string[] = []
  const changedAt = Date.parse(metadata?.annotations?.[triggerAnnotation] ?? '')
  return {
    name: metadata?.name ?? '',
    uid: metadata?.uid ?? '',
    service: `${metadata?.namespace ?? ''}/${service}`,
    family,
    ports: mapped(ports, ({ name = '', protocol = 'TCP', port }) => {
      const known = protocols[protocol]
      if (known !== undefined && isPort(port)) return { name, protocol: known, port }
      problems.push(`endpoint port ${name || port} is not usable`)
      return []
    }),
    endpoints: mapped(endpoints, (endpoint) => viewEndpoint(endpoint, family, problems)),
    ...(!Number.isNaN(changedAt) && { changedAt }),
    problems: problems.length === 0 ? none : problems,
  }
}

/** Only the first address counts: the others of an endpoint are the same pod's, by the definition of slices. */
function viewEndpoint(endpoint: Endpoint, family: Family, problems: string[]): EndpointView | [] {
  const [text = ''] = endpoint.addresses
  const ip = ipFamily(text) === family ? canonicalIp(text) : undefined
  if (ip === undefined) {
    problems.push(`endpoint address ${text || '(none)'} is not IPv${family}`)
    return []
  }
  const { ready, serving, terminating } = endpoint.conditions ?? {}
  return {
    ip,
    node: interned(endpoint.nodeName),
    ready: ready ?? true,
    serving: serving ?? true,
    terminating: terminating ?? false,
    zones: endpoint.hints?.forZones?.map(({ name }) => name) ?? none,
    nodes: endpoint.hints?.forNodes?.map(({ name }) => name) ?? none,
  }
}

/** Names of nodes stand there for each endpoint, and each time as a text of its own. */
const names = new Map<string, string>()
const mostNames = 10_000
function interned(name: string | null | undefined): string | undefined {
  if (name === null || name === undefined) return undefined
  const known = names.get(name)
  if (known !== undefined) return known
  // Nodes come and go for as long as a process lives.
  if (names.size === mostNames) names.clear()
  names.set(name, name)
  return name
}

const leavingTaint = 'ToBeDeletedByClusterAutoscaler'

export function viewNode({ metadata, spec, status }: Node): NodeView {
  const addresses = status?.addresses ?? []
  const ofType = (type: string) => addresses.filter((entry) => entry.type === type).map(({ address }) => address)
  const podCidrs = spec?.podCIDRs ?? (spec?.podCIDR ? [spec.podCIDR] : [])
  const ips = [...ofType('InternalIP'), ...ofType('ExternalIP')].flatMap((text) => canonicalIp(text) ?? [])
  return {
    name: metadata?.name ?? '',
    addresses: ips,
    peers: [],
    serviceCidrs: [],
    zone: metadata?.labels?.['topology.kubernetes.io/zone'] ?? '',
    ips: clusterIps(ips),
    podCidrs: podCidrs.flatMap((text) => canonicalCidr(text) ?? []),
    leaving: metadata?.deletionTimestamp !== undefined || (spec?.taints ?? []).some(({ key }) => key === leavingTaint),
  }
}
