// Which IP families a Service has: what it asks for, fitted to what the cluster offers (Kubernetes' registry/core/service
// initIPFamilyFields). It comes before allocation, which then gives one address for each family.

import type { Service, ServiceSpec } from '#api/core.ts'
import { type FieldError, invalid } from '#api/field-error.ts'
import { sameList } from '#api/service/transition.ts'
import * as traits from '#api/service/traits.ts'
import { validateClusterIps } from '#api/service/validate-cluster-ips.ts'

export type Family = 'IPv4' | 'IPv6'
export type Fitted = { readonly service: Service } | { readonly errors: readonly FieldError[] }
type Draft<T> = { -readonly [K in keyof T]: T[K] }

/** Fills in ipFamilyPolicy and ipFamilies. `offered`: the families of the cluster, the primary one first. */
export function fitFamilies(service: Service, old: Service | undefined, offered: readonly Family[]): Fitted {
  const spec: Draft<ServiceSpec> = { ...traits.specOf(service) }
  const before = old && traits.specOf(old)
  if (spec.type === 'ExternalName' || isUnchangedPreference(spec, before)) return { service }
  const isFreeHeadless = spec.clusterIP === 'None' && !traits.hasSelector(spec)
  spec.ipFamilyPolicy ??= before?.ipFamilyPolicy ?? (isFreeHeadless ? 'RequireDualStack' : 'SingleStack')
  const fitted = () => ({ service: { ...service, spec } })

  const malformed = validateClusterIps({ ...service, spec }, old)
  if (malformed.length > 0) return { errors: malformed }
  const contradictions = [...(before ? release(spec, before) : []), ...checkPolicy(spec), ...infer(spec, offered)]
  if (contradictions.length > 0) return { errors: contradictions }

  // A headless Service whose endpoints someone else writes may have any family, also one the cluster does not offer.
  if (isFreeHeadless) {
    spec.ipFamilies = withSecond(spec.ipFamilies?.length ? spec.ipFamilies : offered.slice(0, 1), spec.ipFamilyPolicy)
    return fitted()
  }
  const missing = checkOffer(spec, offered)
  if (missing.length > 0) return { errors: missing }
  spec.ipFamilies = spec.ipFamilies?.length ? spec.ipFamilies : offered.slice(0, 1)
  if (offered.length === 2) spec.ipFamilies = withSecond(spec.ipFamilies, spec.ipFamilyPolicy)
  return fitted()
}

/**
 * A Service that prefers two stacks keeps what it has when the cluster changes: only a change of its own fields adds or
 * releases an address.
 */
export function isUnchangedPreference(spec: ServiceSpec, before: ServiceSpec | undefined): boolean {
  return (
    before !== undefined &&
    spec.type === before.type &&
    (spec.type === 'ClusterIP' || traits.hasNodePorts(spec)) &&
    spec.ipFamilyPolicy === 'PreferDualStack' &&
    (before.ipFamilyPolicy ?? 'PreferDualStack') === 'PreferDualStack' &&
    sameList(spec.clusterIPs, before.clusterIPs) &&
    sameList(spec.ipFamilies, before.ipFamilies)
  )
}

const policyPath = 'spec.ipFamilyPolicy'

/** An update to SingleStack releases the secondary address and family; fewer of them without that is an error. */
function release(spec: Draft<ServiceSpec>, before: ServiceSpec): FieldError[] {
  const { clusterIPs = [], ipFamilies = [], ipFamilyPolicy: policy } = spec
  if (policy === 'SingleStack') {
    if (clusterIPs.length > 1 && sameList(before.clusterIPs, clusterIPs)) spec.clusterIPs = clusterIPs.slice(0, 1)
    if (ipFamilies.length > 1 && sameList(before.ipFamilies, ipFamilies)) spec.ipFamilies = ipFamilies.slice(0, 1)
    return []
  }
  const errors: FieldError[] = []
  if (clusterIPs.length > 0 && clusterIPs.length < (before.clusterIPs?.length ?? 0))
    errors.push(invalid(policyPath, policy, "must be 'SingleStack' to release the secondary cluster IP"))
  if (ipFamilies.length > 0 && ipFamilies.length < (before.ipFamilies?.length ?? 0))
    errors.push(invalid(policyPath, policy, "must be 'SingleStack' to release the secondary IP family"))
  return errors
}

function checkPolicy(spec: ServiceSpec): FieldError[] {
  if (spec.ipFamilyPolicy !== 'SingleStack') return []
  const errors: FieldError[] = []
  const say = (what: string) =>
    errors.push(
      invalid(
        policyPath,
        spec.ipFamilyPolicy,
        `must be 'RequireDualStack' or 'PreferDualStack' when multiple ${what} are specified`,
      ),
    )
  if (spec.clusterIPs?.length === 2) say('cluster IPs')
  if (spec.ipFamilies?.length === 2) say('IP families')
  return errors
}

/** Families follow from addresses that were asked for. */
function infer(spec: Draft<ServiceSpec>, offered: readonly Family[]): FieldError[] {
  const errors: FieldError[] = []
  const ips = spec.clusterIPs ?? []
  const families = [...(spec.ipFamilies ?? [])]
  if (ips[0] === 'None') return errors
  for (const [at, ip] of ips.entries()) {
    const family = traits.familyOfIp(ip)
    if (at < families.length) continue
    if (offered.includes(family)) families.push(family)
    else errors.push(invalid(`spec.clusterIPs[${at}]`, ips, `${family} is not configured on this cluster`))
  }
  if (families.length > 0) spec.ipFamilies = families
  return errors
}

function checkOffer(spec: ServiceSpec, offered: readonly Family[]): FieldError[] {
  const errors: FieldError[] = []
  if (spec.ipFamilyPolicy === 'RequireDualStack' && offered.length < 2)
    errors.push(invalid(policyPath, spec.ipFamilyPolicy, 'this cluster is not configured for dual-stack services'))
  for (const [at, family] of (spec.ipFamilies ?? []).entries())
    if (!offered.includes(family as Family))
      errors.push(invalid(`spec.ipFamilies[${at}]`, family, 'not configured on this cluster'))
  return errors
}

function withSecond(families: readonly string[], policy: string): readonly string[] {
  if (policy === 'SingleStack' || families.length !== 1) return families
  return [...families, families[0] === 'IPv4' ? 'IPv6' : 'IPv4']
}
