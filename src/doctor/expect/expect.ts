// The reference model: what objects demand of each address and port of a Service on one node. It is written from the API's
// documentation, and shares nothing with the proxy's plan.

import type { Node, Service } from '#api/core.ts'
import type { EndpointSlice } from '#api/discovery.ts'
import { containsIp, parseCidr } from '#lib/cidr.ts'
import { canonicalIp, type Ip, ipFamily } from '#lib/ip.ts'
import { type Backend, backendsOf, near, usable } from '#doctor/expect/endpoints.ts'

type FrontKind = 'cluster-ip' | 'external-ip' | 'load-balancer' | 'node-port'

/** One address and port at which a Service shall answer. */
export type Front = {
  /** `namespace/name` */
  readonly service: string
  readonly kind: FrontKind
  /** undefined: every address of a node */
  readonly ip?: Ip
  readonly port: number
  /** `tcp`, `udp`, `sctp` */
  readonly protocol: string
  readonly family: 4 | 6
  readonly portName: string
  readonly backends: readonly Backend[]
}

/** Who asks: a pod of this node, somebody outside the cluster. */
export type Asker = 'pod' | 'outside'

export type Expected =
  /** equal shares; `keepsSource`: undefined where either is right */
  | { readonly kind: 'balance'; readonly to: readonly Backend[]; readonly keepsSource: boolean | undefined }
  /** nobody anywhere: the client shall know at once */
  | { readonly kind: 'refuse' }
  /** nobody on this node, and none else may answer */
  | { readonly kind: 'drop' }
  /** outside the ranges from which a load balancer may be asked */
  | { readonly kind: 'shut-out' }

type Spec = NonNullable<Service['spec']>

/** All of one Service, in both families. Headless Services and names of others have none. */
export function frontsOf(service: Service, slices: readonly EndpointSlice[]): Front[] {
  const spec: Spec = service.spec ?? {}
  const ips = (spec.clusterIPs ?? (spec.clusterIP === undefined ? [] : [spec.clusterIP])).flatMap(
    (ip) => canonicalIp(ip) ?? [],
  )
  const key = `${service.metadata?.namespace ?? 'default'}/${service.metadata?.name ?? ''}`
  if (spec.type === 'ExternalName') return []
  return ips.flatMap((clusterIp) => {
    const family = ipFamily(clusterIp)!
    const ours = (list: readonly (string | undefined)[]) =>
      list.flatMap((ip) => canonicalIp(ip ?? '') ?? []).filter((ip) => ipFamily(ip) === family)
    const balancers = (service.status?.loadBalancer?.ingress ?? []).filter(({ ipMode }) => ipMode !== 'Proxy')
    return (spec.ports ?? []).flatMap((port): Front[] => {
      const base = {
        service: key,
        protocol: (port.protocol ?? 'TCP').toLowerCase(),
        family,
        portName: port.name ?? '',
        backends: backendsOf(slices.filter(isForProxies), port, family),
      }
      const at = (kind: FrontKind) => (ip: Ip) => ({ ...base, kind, ip, port: port.port ?? 0 })
      return [
        at('cluster-ip')(clusterIp),
        ...ours(spec.externalIPs ?? []).map(at('external-ip')),
        ...(spec.type === 'LoadBalancer' ? ours(balancers.map(({ ip }) => ip)).map(at('load-balancer')) : []),
        ...(port.nodePort ? [{ ...base, kind: 'node-port' as const, port: port.nodePort }] : []),
      ]
    })
  })
}

/** Slices that say so are another proxy's, or of a headless Service. */
const isForProxies = ({ metadata }: EndpointSlice) =>
  metadata?.labels?.['service.kubernetes.io/service-proxy-name'] === undefined &&
  metadata?.labels?.['service.kubernetes.io/headless'] === undefined

const zoneLabel = 'topology.kubernetes.io/zone'

/** What becomes of a new connection to a front that comes to a node. */
export function expectAt(
  service: Service,
  front: Front,
  node: { readonly name: string; readonly node?: Node },
  asker: Asker,
): Expected {
  const spec: Spec = service.spec ?? {}
  const all = usable(front.backends)
  if (all.length === 0) return { kind: 'refuse' }
  const isInternal = front.kind === 'cluster-ip'
  const isLocal = isInternal
    ? spec.internalTrafficPolicy === 'Local'
    : spec.externalTrafficPolicy === 'Local' && asker === 'outside'
  if (!isLocal) {
    const to = near(all, { node: node.name, zone: node.node?.metadata?.labels?.[zoneLabel] ?? '' })
    return { kind: 'balance', to, keepsSource: keepsSource(spec, isInternal, asker) }
  }
  const local = usable(front.backends.filter((backend) => backend.node === node.name))
  return local.length === 0
    ? { kind: 'drop' }
    : { kind: 'balance', to: local, keepsSource: isInternal ? keepsSource(spec, true, asker) : true }
}

/** From a pod to a cluster IP it is kept; through a front for outsiders only policy Local keeps it. */
function keepsSource(spec: Spec, isInternal: boolean, asker: Asker): boolean | undefined {
  if (isInternal) return asker === 'pod' ? true : undefined
  if (asker === 'outside') return false
  return undefined
}

/** Whether a load balancer's front lets somebody in. */
export function admits({ spec }: Service, front: Front, source: Ip): boolean {
  const ranges = front.kind === 'load-balancer' ? (spec?.loadBalancerSourceRanges ?? []) : []
  const ours = ranges
    .flatMap((text) => parseCidr(text.trim()) ?? [])
    .filter(({ base }) => base.length === (front.family === 4 ? 4 : 16))
  return ours.length === 0 || ours.some((range) => containsIp(range, source))
}
