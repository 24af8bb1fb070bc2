// A Service in one line: the texts of `kubectl get services` (Kubernetes' printers).

import type { Service, ServiceStatus } from '#api/core.ts'
import * as traits from '#api/service/traits.ts'

/** `<none>`, `<pending>`, the addresses or names under which the outside reaches it, or an ExternalName's name. */
export function externalIpText(service: Service): string {
  const spec = traits.specOf(service)
  const external = spec.externalIPs ?? []
  switch (spec.type) {
    case 'ClusterIP':
    case 'NodePort':
      return external.join(',') || '<none>'
    case 'LoadBalancer':
      return [...loadBalancerPoints(service.status), ...external].join(',') || '<pending>'
    case 'ExternalName':
      return spec.externalName ?? ''
    default:
      return '<unknown>'
  }
}

function loadBalancerPoints(status: ServiceStatus | undefined): string[] {
  const points = (status?.loadBalancer?.ingress ?? []).map((point) => point.ip || point.hostname || '')
  return [...new Set(points.filter((point) => point !== ''))].sort()
}

/** `80/TCP,443:30443/TCP` */
export function portsText(service: Service): string {
  const ports = (traits.specOf(service).ports ?? []).map(({ port, nodePort, protocol }) =>
    nodePort ? `${port}:${nodePort}/${protocol}` : `${port}/${protocol}`,
  )
  return ports.join(',') || '<none>'
}
