// The defaults of a Service that need nothing but the Service (Kubernetes' pkg/apis/core/v1/defaults.go). Addresses,
// node ports and IP families come from allocation.

import type { Service, ServicePort, ServiceSpec } from '#api/core.ts'
import { isExternallyAccessible, specOf } from '#api/service/traits.ts'

type Draft<T> = { -readonly [K in keyof T]: T[K] }

/** A fresh Service with its defaults; defaulting twice is the same as once. */
export function defaultService(service: Service): Service {
  const spec: Draft<ServiceSpec> = withoutZeros(specOf(service))
  spec.sessionAffinity ||= 'None'
  if (spec.sessionAffinity === 'None') delete spec.sessionAffinityConfig
  if (spec.sessionAffinity === 'ClientIP' && spec.sessionAffinityConfig?.clientIP?.timeoutSeconds === undefined)
    spec.sessionAffinityConfig = { clientIP: { timeoutSeconds: 10800 } }
  spec.type ||= 'ClusterIP'
  if (spec.ports) spec.ports = spec.ports.map(defaultPort)
  if (isExternallyAccessible(spec)) spec.externalTrafficPolicy ||= 'Cluster'
  if (['NodePort', 'LoadBalancer', 'ClusterIP'].includes(spec.type)) spec.internalTrafficPolicy ??= 'Cluster'
  if (spec.type === 'LoadBalancer') spec.allocateLoadBalancerNodePorts ??= true
  return { ...service, spec, status: defaultStatus(service.status ?? {}, spec) }
}

function defaultPort(port: ServicePort): ServicePort {
  const { nodePort, name, ...rest } = port
  return {
    ...(name ? { name } : {}),
    ...rest,
    protocol: port.protocol || 'TCP',
    targetPort: port.targetPort || port.port,
    ...(nodePort ? { nodePort } : {}),
  }
}

/** Every address of a load balancer is a virtual one unless its provider says otherwise. */
function defaultStatus(status: NonNullable<Service['status']>, spec: ServiceSpec): NonNullable<Service['status']> {
  const ingress = status.loadBalancer?.ingress
  if (ingress === undefined || spec.type !== 'LoadBalancer')
    return { ...status, loadBalancer: status.loadBalancer ?? {} }
  const withMode = ingress.map((point) =>
    point.ip && point.ipMode === undefined ? { ...point, ipMode: 'VIP' } : point,
  )
  return { ...status, loadBalancer: { ...status.loadBalancer, ingress: withMode } }
}

/** Fields that the API does not tell apart from absent ones when they are empty. */
const zeros = [
  'clusterIP',
  'clusterIPs',
  'externalIPs',
  'externalName',
  'externalTrafficPolicy',
  'healthCheckNodePort',
  'ipFamilies',
  'loadBalancerIP',
  'loadBalancerSourceRanges',
  'ports',
  'publishNotReadyAddresses',
  'selector',
] as const satisfies readonly (keyof ServiceSpec)[]

function withoutZeros(given: ServiceSpec): Draft<ServiceSpec> {
  const spec: Draft<ServiceSpec> = { ...given }
  for (const field of zeros) {
    const value = spec[field]
    const isZero = typeof value === 'object' ? Object.keys(value).length === 0 : !value
    if (isZero) delete spec[field]
  }
  return spec
}
