// What an update of a Service may change: addresses and families only by adding or releasing the secondary one, unless
// the Service turns into or from an ExternalName.

import type { Service } from '#api/core.ts'
import { type FieldError, forbidden, invalid } from '#api/field-error.ts'
import * as traits from '#api/service/traits.ts'
import { checkLoadBalancerClass, validateService } from '#api/service/validate.ts'

/** Problems of `service` as the successor of `old`, its own problems included. */
export function validateServiceUpdate(service: Service, old: Service): FieldError[] {
  return [
    ...checkAddressChange(service, old),
    ...checkFamilyChange(service, old),
    ...checkClassChange(service, old),
    ...checkHealthCheckPort(service, old),
    ...validateService(service, old),
  ]
}

const once = 'may not change once set'

function checkAddressChange(service: Service, old: Service): FieldError[] {
  const spec = traits.specOf(service)
  const before = traits.specOf(old)
  if (!traits.needsClusterIp(spec) || !traits.needsClusterIp(before)) return []
  if (traits.isHeadless(spec) && traits.isHeadless(before)) return []
  const ips = spec.clusterIPs ?? []
  const oldIps = before.clusterIPs ?? []
  const errors: FieldError[] = []
  if (ips.length === oldIps.length) {
    for (const [at, ip] of oldIps.entries())
      if (ip !== ips[at]) errors.push(invalid(`spec.clusterIPs[${at}]`, ips, once))
    return errors
  }
  if (ips.length === 0) errors.push(invalid('spec.clusterIPs[0]', null, 'primary clusterIP can not be unset'))
  if (oldIps.length > 0 && ips.length > 0 && ips[0] !== oldIps[0]) errors.push(invalid('spec.clusterIPs[0]', ips, once))
  if (ips.length === 1 && oldIps.length > 1 && spec.ipFamilyPolicy !== 'SingleStack')
    errors.push(policyError(spec, "must be set to 'SingleStack' when releasing the secondary clusterIP"))
  return errors
}

function checkFamilyChange(service: Service, old: Service): FieldError[] {
  const spec = traits.specOf(service)
  const before = traits.specOf(old)
  if (!traits.needsClusterIp(spec) || !traits.needsClusterIp(before)) return []
  if (traits.isHeadless(spec) || traits.isHeadless(before)) return []
  const families = spec.ipFamilies ?? []
  const oldFamilies = before.ipFamilies ?? []
  const errors: FieldError[] = []
  const path = 'spec.ipFamilies[0]'
  if (families.length === oldFamilies.length) {
    for (const [at, family] of oldFamilies.entries())
      if (family !== families[at]) errors.push(invalid(path, families, once))
    return errors
  }
  if (families.length < oldFamilies.length && !spec.clusterIPs?.length)
    errors.push(invalid(path, families, 'primary ipFamily can not be unset'))
  if (families.length > 0 && oldFamilies.length > 0 && families[0] !== oldFamilies[0])
    errors.push(invalid(path, spec.clusterIPs ?? null, once))
  if (families.length === 1 && oldFamilies.length > 1 && spec.ipFamilyPolicy !== 'SingleStack')
    errors.push(policyError(spec, "must be set to 'SingleStack' when releasing the secondary ipFamily"))
  return errors
}

function policyError(spec: ReturnType<typeof traits.specOf>, detail: string): FieldError {
  return invalid('spec.ipFamilyPolicy', spec.ipFamilyPolicy ?? null, detail)
}

function checkClassChange(service: Service, old: Service): FieldError[] {
  const spec = traits.specOf(service)
  const before = traits.specOf(old)
  const isKept = spec.type === 'LoadBalancer' && before.type === 'LoadBalancer'
  const changed =
    isKept && spec.loadBalancerClass !== before.loadBalancerClass
      ? [invalid('spec.loadBalancerClass', spec.loadBalancerClass ?? null, once)]
      : []
  return [...changed, ...checkLoadBalancerClass(spec)]
}

function checkHealthCheckPort(service: Service, old: Service): FieldError[] {
  const spec = traits.specOf(service)
  const before = traits.specOf(old)
  if (!traits.needsHealthCheckPort(spec) || !traits.needsHealthCheckPort(before)) return []
  if ((spec.healthCheckNodePort ?? 0) === (before.healthCheckNodePort ?? 0)) return []
  return [forbidden('spec.healthCheckNodePort', 'field is immutable')]
}
