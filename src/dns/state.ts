// The slim views of API objects that names are answered from. Objects are cut down to these at the door of the cache;
// nothing behind it knows the API's types.

import type { Namespace, Pod, Service } from '#api/core.ts'
import type { EndpointSlice } from '#api/discovery.ts'

export type ServiceView = {
  readonly namespace: string
  readonly name: string
  readonly kind: 'virtual' | 'headless' | 'alias'
  /** empty for headless Services and aliases */
  readonly clusterIps: readonly string[]
  /** where an alias (ExternalName) leads: lower case, without a trailing dot */
  readonly externalName?: string
  readonly ports: readonly PortView[]
}

/** `port` is undefined where an object has no ports: its addresses have names then, but no SRV records. */
export type PortView = { readonly name: string; readonly protocol: string; readonly port: number | undefined }

export type SliceView = {
  readonly namespace: string
  readonly service: string
  readonly ports: readonly PortView[]
  /** only the ready ones */
  readonly endpoints: readonly EndpointView[]
  /** when the last change of its endpoints began, in milliseconds since the epoch */
  readonly triggeredMs?: number
}

export type EndpointView = {
  readonly addresses: readonly string[]
  readonly hostname?: string
  readonly pod?: string
}

export type PodView = { readonly namespace: string; readonly ips: readonly string[] }

export function viewService(service: Service): ServiceView {
  const { metadata, spec } = service
  const base = { namespace: metadata?.namespace ?? '', name: metadata?.name ?? '' }
  const ports = viewPorts(spec?.ports)
  if (spec?.type === 'ExternalName') {
    const externalName = (spec.externalName ?? '').toLowerCase().replace(/\.$/, '')
    return { ...base, kind: 'alias', clusterIps: [], externalName, ports }
  }
  const clusterIps = spec?.clusterIPs ?? (spec?.clusterIP ? [spec.clusterIP] : [])
  if (clusterIps.length === 0 || clusterIps[0] === 'None') return { ...base, kind: 'headless', clusterIps: [], ports }
  return { ...base, kind: 'virtual', clusterIps, ports }
}

/** The label that ties a slice to its Service. */
const serviceNameLabel = 'kubernetes.io/service-name'

/** When what the endpoint controller answers to has happened. */
const triggerAnnotation = 'endpoints.kubernetes.io/last-change-trigger-time'

export function viewSlice(slice: EndpointSlice): SliceView {
  const triggeredMs = Date.parse(slice.metadata?.annotations?.[triggerAnnotation] ?? '')
  return {
    ...(Number.isNaN(triggeredMs) ? {} : { triggeredMs }),
    namespace: slice.metadata?.namespace ?? '',
    service: slice.metadata?.labels?.[serviceNameLabel] ?? '',
    ports: viewPorts(slice.ports),
    endpoints:
      slice.addressType === 'FQDN'
        ? []
        : (slice.endpoints ?? [])
            .filter((endpoint) => endpoint.conditions?.ready !== false)
            .map((endpoint) => ({
              addresses: endpoint.addresses,
              ...(endpoint.hostname === undefined ? {} : { hostname: endpoint.hostname.toLowerCase() }),
              ...(endpoint.targetRef?.kind === 'Pod' && endpoint.targetRef.name !== undefined
                ? { pod: endpoint.targetRef.name }
                : {}),
            })),
  }
}

const portless: readonly PortView[] = [{ name: '', protocol: '', port: undefined }]

function viewPorts(
  ports: readonly { readonly name?: string; readonly protocol?: string; readonly port?: number }[] = [],
): readonly PortView[] {
  if (ports.length === 0) return portless
  return shared(
    ports.map(({ name = '', protocol = 'TCP', port }) => ({
      name: name.toLowerCase(),
      protocol: protocol.toLowerCase(),
      port,
    })),
  )
}

/** Few lists of ports there are, and many objects that have them: equal ones are one. */
const portLists = new Map<string, readonly PortView[]>()
const mostPortLists = 10_000

function shared(ports: readonly PortView[]): readonly PortView[] {
  const key = ports.map(({ name, protocol, port }) => `${name} ${protocol} ${port}`).join()
  const known = portLists.get(key)
  if (known !== undefined) return known
  if (portLists.size >= mostPortLists) portLists.clear()
  portLists.set(key, ports)
  return ports
}

export function viewPod(pod: Pod): PodView {
  const finished = pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'
  const ips = pod.status?.podIPs?.map((entry) => entry.ip) ?? (pod.status?.podIP ? [pod.status.podIP] : [])
  return { namespace: pod.metadata?.namespace ?? '', ips: finished ? [] : ips }
}

export const viewNamespace = (namespace: Namespace): string => namespace.metadata?.name ?? ''
