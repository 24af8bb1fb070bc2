// How an update of a Service is meant (Kubernetes' registry/core/service). `type` decides which other fields make
// sense, and clients often send only part of what they mean: a value that was allocated and is not named stays, and a
// value that no longer fits and that the client did not touch goes.

import type { Service, ServiceSpec } from '#api/core.ts'
import * as traits from '#api/service/traits.ts'

type Draft<T> = { -readonly [K in keyof T]: T[K] }

/** Keeps what was allocated where an update leaves it out: cluster IPs, node ports (by port name), health check port. */
export function keepAllocated(service: Service, old: Service): Service {
  const spec: Draft<ServiceSpec> = { ...traits.specOf(service) }
  const before = traits.specOf(old)
  if (traits.needsClusterIp(before) && traits.needsClusterIp(spec)) {
    if (!spec.clusterIP && before.clusterIP) spec.clusterIP = before.clusterIP
    if (!spec.clusterIPs?.length && before.clusterIPs?.length) spec.clusterIPs = before.clusterIPs
  }
  if (traits.allocatesNodePorts(before) && traits.allocatesNodePorts(spec)) {
    const now = new Set(traits.nodePortsOf(spec))
    const used = new Set(traits.nodePortsOf(before).filter((port) => now.has(port)))
    const byName = new Map(before.ports?.map((port) => [port.name ?? '', port.nodePort]))
    if (spec.ports)
      spec.ports = spec.ports.map((port) => {
        const known = byName.get(port.name ?? '')
        return port.nodePort || !known || used.has(known) ? port : { ...port, nodePort: known }
      })
  }
  if (traits.needsHealthCheckPort(before) && traits.needsHealthCheckPort(spec))
    if (!spec.healthCheckNodePort && before.healthCheckNodePort) spec.healthCheckNodePort = before.healthCheckNodePort
  return { ...service, spec }
}

/**
 * Brings `clusterIPs` in line with `clusterIP`, by what the client seems to mean: an old client knows only the singular
 * field, a new one sets both. Considers no other field.
 */
export function alignClusterIps(service: Service, old: Service | undefined): Service {
  const spec: Draft<ServiceSpec> = { ...traits.specOf(service) }
  const single = spec.clusterIP ?? ''
  if (old === undefined) {
    if (single && !spec.clusterIPs?.length) spec.clusterIPs = [single]
    return { ...service, spec }
  }
  const before = traits.specOf(old)
  const oldSingle = before.clusterIP ?? ''
  if (before.clusterIPs?.length && !spec.clusterIPs?.length && oldSingle === single) spec.clusterIPs = before.clusterIPs
  if (oldSingle !== single && sameList(before.clusterIPs, spec.clusterIPs)) {
    if (single) spec.clusterIPs = [single]
    else delete spec.clusterIPs
  }
  return { ...service, spec }
}

/** Drops what the new type does not have, where the client left it as it was. What the client changed is validated. */
export function dropForeignFields(service: Service, old: Service): Service {
  const spec: Draft<ServiceSpec> = { ...traits.specOf(service) }
  const before = traits.specOf(old)
  if (traits.needsClusterIp(before) && !traits.needsClusterIp(spec)) {
    if ((before.clusterIP ?? '') === (spec.clusterIP ?? '') && sameList(before.clusterIPs, spec.clusterIPs)) {
      delete spec.clusterIP
      delete spec.clusterIPs
    }
    if (sameList(before.ipFamilies, spec.ipFamilies)) delete spec.ipFamilies
    if (before.ipFamilyPolicy === spec.ipFamilyPolicy) delete spec.ipFamilyPolicy
  }
  if (traits.hasNodePorts(before) && !traits.hasNodePorts(spec) && spec.ports) {
    const known = new Set(traits.nodePortsOf(before))
    if (traits.nodePortsOf(spec).every((port) => known.has(port)))
      spec.ports = spec.ports.map(({ nodePort: _, ...port }) => port)
  }
  if (traits.needsHealthCheckPort(before) && !traits.needsHealthCheckPort(spec))
    dropUnchanged(spec, before, 'healthCheckNodePort')
  if (before.type === 'LoadBalancer' && spec.type !== 'LoadBalancer') {
    dropUnchanged(spec, before, 'allocateLoadBalancerNodePorts')
    dropUnchanged(spec, before, 'loadBalancerClass')
  }
  if (traits.isExternallyAccessible(before) && !traits.isExternallyAccessible(spec))
    dropUnchanged(spec, before, 'externalTrafficPolicy')
  if (spec.type === 'ExternalName') dropUnchanged(spec, before, 'internalTrafficPolicy')
  const status = spec.type === 'LoadBalancer' ? (service.status ?? {}) : { ...service.status, loadBalancer: {} }
  return { ...service, spec, status }
}

function dropUnchanged(spec: Draft<ServiceSpec>, before: ServiceSpec, field: keyof ServiceSpec): void {
  if (spec[field] === before[field]) delete spec[field]
}

/** Equal, where absent is the same as empty. */
export function sameList(a: readonly string[] | undefined, b: readonly string[] | undefined): boolean {
  return (a?.length ?? 0) === (b?.length ?? 0) && (a ?? []).every((item, at) => item === b?.[at])
}
