// What load balancers are told on a Service's health check node port.
import type { Family, ServiceView, SliceView } from '#proxy/state.ts'

export type HealthPlan = {
  readonly namespace: string
  readonly name: string
  readonly port: number
  /** how many pods on this node are ready: an address that serves several ports counts once, terminating ones not */
  readonly localEndpoints: number
}

/** Undefined where the Service has no such port, or no cluster IP of the family. */
export function planHealth(
  service: ServiceView,
  slices: Iterable<SliceView>,
  family: Family,
  node: string,
): HealthPlan | undefined {
  if (service.healthCheckNodePort === 0 || service.clusterIp[family] === undefined) return undefined
  const ips = new Set<string>()
  for (const slice of slices)
    if (slice.family === family && slice.ports.length > 0)
      for (const endpoint of slice.endpoints) if (endpoint.ready && endpoint.node === node) ips.add(endpoint.ip)
  const [namespace = '', name = ''] = service.key.split('/')
  return { namespace, name, port: service.healthCheckNodePort, localEndpoints: ips.size }
}
