// What the status of a Service may say: the points at which a load balancer offers it.

import { checkIp } from '#api/address.ts'
import type { LoadBalancerIngress, Service } from '#api/core.ts'
import { type FieldError, forbidden, invalid, notSupported, required } from '#api/field-error.ts'
import { dns1123Subdomain } from '#api/names.ts'
import { isValidIp } from '#lib/ip.ts'

const root = 'status.loadBalancer.ingress'

export function validateServiceStatus(service: Service, old: Service): FieldError[] {
  const points = service.status?.loadBalancer?.ingress ?? []
  if (points.length > 0 && service.spec?.type !== 'LoadBalancer')
    return [forbidden(root, "may only be used when `spec.type` is 'LoadBalancer'")]
  const known = (old.status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => (ip ? [ip] : []))
  return points.flatMap((point, at) => checkPoint(point, `${root}[${at}]`, known))
}

function checkPoint(
  { ip, ipMode, hostname }: LoadBalancerIngress,
  path: string,
  known: readonly string[],
): FieldError[] {
  const errors: FieldError[] = []
  if (ip) errors.push(...checkIp(`${path}.ip`, ip, known))
  if (ipMode === undefined) {
    if (ip) errors.push(required(`${path}.ipMode`, 'must be specified when `ip` is set'))
  } else if (!ip) errors.push(forbidden(`${path}.ipMode`, 'may not be specified when `ip` is not set'))
  else if (!['Proxy', 'VIP'].includes(ipMode)) errors.push(notSupported(`${path}.ipMode`, ipMode, ['Proxy', 'VIP']))
  if (hostname) {
    errors.push(...dns1123Subdomain(hostname).map((detail) => invalid(`${path}.hostname`, hostname, detail)))
    if (isValidIp(hostname)) errors.push(invalid(`${path}.hostname`, hostname, 'must be a DNS name, not an IP address'))
  }
  return errors
}
