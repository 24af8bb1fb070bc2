// A pod as an endpoint of a Service: its address, its ports, whether it may be sent traffic.

import type { Node, Pod, Service, ServicePort } from '#api/core.ts'
import type { Endpoint, EndpointPort } from '#api/discovery.ts'
import { isPodReady, isPodTerminal, isPodTerminating } from '#api/pod-state.ts'
import type { Stored } from '#api/stored.ts'
import { canonicalIp, ipFamily } from '#lib/ip.ts'

export type AddressType = 'IPv4' | 'IPv6'

const zoneLabel = 'topology.kubernetes.io/zone'

/** Has an address and has not finished for good. Pods on their way out count only where `withTerminating`. */
export function belongsInEndpoints(pod: Pod, withTerminating: boolean): boolean {
  const hasAddress = Boolean(pod.status?.podIP) || (pod.status?.podIPs?.length ?? 0) > 0
  return hasAddress && !isPodTerminal(pod) && (withTerminating || !isPodTerminating(pod))
}

/** A pod is named in DNS when its subdomain is the Service. */
export function hasHostname(pod: Stored<Pod>, service: Stored<Service>): boolean {
  return Boolean(pod.spec.hostname) && pod.spec.subdomain === service.metadata.name
}

/** The pod's addresses of one family, in canonical text. */
export function podAddresses(pod: Pod, type: AddressType): readonly string[] {
  const family = type === 'IPv4' ? 4 : 6
  const listed = pod.status?.podIPs?.map(({ ip }) => ip) ?? []
  const ips = listed.length > 0 ? listed : [pod.status?.podIP]
  return ips.filter((ip) => ip !== undefined && ipFamily(ip) === family).map((ip) => canonicalIp(ip!)!)
}

/**
 * The endpoint of a pod. Never ready on its way out, so that proxies which know only `ready` send it nothing new;
 * `serving` still tells whether it would answer. A Service that publishes pods which are not ready calls all ready.
 */
export function endpointOf(
  pod: Stored<Pod>,
  node: Node | undefined,
  service: Stored<Service>,
  type: AddressType,
): Endpoint {
  const serving = isPodReady(pod)
  const terminating = isPodTerminating(pod)
  const { name, namespace, uid } = pod.metadata
  const { nodeName, hostname } = pod.spec
  const zone = node?.metadata?.labels?.[zoneLabel]
  return {
    addresses: podAddresses(pod, type),
    conditions: {
      ready: service.spec.publishNotReadyAddresses === true || (serving && !terminating),
      serving,
      terminating,
    },
    ...(hostname !== undefined && hasHostname(pod, service) ? { hostname } : {}),
    targetRef: { kind: 'Pod', namespace, name, uid },
    ...(nodeName ? { nodeName } : {}),
    ...(zone ? { zone } : {}),
  }
}

/** The pod's ports behind the Service's; one whose name the pod does not know is left out. */
export function endpointPorts(service: Service, pod: Pod): readonly EndpointPort[] {
  return (service.spec?.ports ?? []).flatMap((servicePort) => {
    const port = targetPort(pod, servicePort)
    if (port === undefined) return []
    const { name = '', protocol = 'TCP', appProtocol } = servicePort
    return [{ name, port, protocol, ...(appProtocol === undefined ? {} : { appProtocol }) }]
  })
}

/** The number of a Service's target port on a pod: named ones are looked up in its containers and sidecars. */
export function targetPort(pod: Pod, { targetPort, port, protocol = 'TCP' }: ServicePort): number | undefined {
  const target = targetPort ?? port
  if (typeof target === 'number') return target
  const sidecars = pod.spec?.initContainers?.filter(({ restartPolicy }) => restartPolicy === 'Always') ?? []
  return [...(pod.spec?.containers ?? []), ...sidecars]
    .flatMap(({ ports = [] }) => ports)
    .find(({ name, protocol: itsProtocol = 'TCP' }) => name === target && itsProtocol === protocol)?.containerPort
}

/** The families in which a Service has endpoints. */
export function addressTypes({ spec }: Stored<Service>): readonly AddressType[] {
  const families = (spec.ipFamilies ?? []).filter((family) => family === 'IPv4' || family === 'IPv6')
  if (families.length > 0) return families
  if (spec.clusterIP && spec.clusterIP !== 'None') return [spec.clusterIP.includes(':') ? 'IPv6' : 'IPv4']
  return ['IPv4', 'IPv6']
}

export const isHeadless = ({ spec }: Stored<Service>): boolean => !spec.clusterIP || spec.clusterIP === 'None'
