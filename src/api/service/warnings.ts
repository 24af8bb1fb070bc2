// What a client is told about a Service that is accepted but will not do all that it says (Kubernetes' pkg/api/service).

import { warnAboutCidr, warnAboutIp } from '#api/address.ts'
import type { Service } from '#api/core.ts'
import * as traits from '#api/service/traits.ts'

export function warnAboutService(service: Service): string[] {
  const spec = traits.specOf(service)
  const warnings: string[] = []
  if (service.metadata?.annotations?.['service.kubernetes.io/topology-aware-hints'] !== undefined)
    warnings.push(
      'annotation service.kubernetes.io/topology-aware-hints is deprecated, please use service.kubernetes.io/topology-mode instead',
    )
  const isHeadless = spec.type === 'ClusterIP' && spec.clusterIP === 'None'
  if (spec.clusterIP && !isHeadless)
    for (const [at, ip] of (spec.clusterIPs ?? []).entries())
      warnings.push(...warnAboutIp(`spec.clusterIPs[${at}]`, ip))
  const externalIps = spec.externalIPs ?? []
  if (isHeadless) {
    if (spec.loadBalancerIP) warnings.push('spec.loadBalancerIP is ignored for headless services')
    if (externalIps.length > 0) warnings.push('spec.externalIPs is ignored for headless services')
    if (spec.sessionAffinity !== 'None') warnings.push('spec.SessionAffinity is ignored for headless services')
  }
  for (const [at, ip] of externalIps.entries()) warnings.push(...warnAboutIp(`spec.externalIPs[${at}]`, ip))
  if (externalIps.length > 0 && !isHeadless && spec.type !== 'ExternalName')
    warnings.push('spec.externalIPs is deprecated and may no longer be implemented in some clusters')
  if (spec.loadBalancerIP) warnings.push(...warnAboutIp('spec.loadBalancerIP', spec.loadBalancerIP))
  for (const [at, cidr] of (spec.loadBalancerSourceRanges ?? []).entries())
    warnings.push(...warnAboutCidr(`spec.loadBalancerSourceRanges[${at}]`, cidr))
  if (spec.type === 'ExternalName' && externalIps.length > 0)
    warnings.push('spec.externalIPs is ignored when spec.type is "ExternalName"')
  if (spec.type !== 'ExternalName' && spec.externalName)
    warnings.push('spec.externalName is ignored when spec.type is not "ExternalName"')
  if (spec.trafficDistribution === 'PreferClose')
    warnings.push('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"')
  return warnings
}
