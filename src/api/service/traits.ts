// What a Service is, in the words that its rules use.

import type { Service, ServiceSpec } from '#api/core.ts'

/** `spec` as far as its rules are concerned: absent is the same as empty. */
export function specOf(service: Service): ServiceSpec {
  return service.spec ?? {}
}

export function isHeadless(spec: ServiceSpec): boolean {
  return spec.clusterIPs?.length === 1 && spec.clusterIPs[0] === 'None'
}

/** Every type but ExternalName has a cluster IP, or says None. */
export function needsClusterIp(spec: ServiceSpec): boolean {
  return spec.type !== 'ExternalName'
}

export function hasNodePorts(spec: ServiceSpec): boolean {
  return spec.type === 'NodePort' || spec.type === 'LoadBalancer'
}

/** Ports without a node port get one. */
export function allocatesNodePorts(spec: ServiceSpec): boolean {
  return spec.type === 'NodePort' || (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false)
}

/** A load balancer must ask each node whether it has a pod of the Service. */
export function needsHealthCheckPort(spec: ServiceSpec): boolean {
  return spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local'
}

export function isExternallyAccessible(spec: ServiceSpec): boolean {
  return hasNodePorts(spec) || (spec.type === 'ClusterIP' && (spec.externalIPs?.length ?? 0) > 0)
}

export function hasSelector(spec: ServiceSpec): boolean {
  return Object.keys(spec.selector ?? {}).length > 0
}

/** The node ports that its ports name. */
export function nodePortsOf(spec: ServiceSpec): number[] {
  return (spec.ports ?? []).flatMap((port) => (port.nodePort ? [port.nodePort] : []))
}

export function familyOfIp(ip: string): 'IPv4' | 'IPv6' {
  return ip.includes(':') ? 'IPv6' : 'IPv4'
}
