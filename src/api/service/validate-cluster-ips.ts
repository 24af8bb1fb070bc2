// How clusterIP, clusterIPs, ipFamilies and ipFamilyPolicy must fit together. Allocation asks the same questions before
// it begins, so that it need not think of malformed input.

import { checkIp } from '#api/address.ts'
import type { Service } from '#api/core.ts'
import { duplicate, type FieldError, invalid, notSupported, required } from '#api/field-error.ts'
import * as traits from '#api/service/traits.ts'

const ipsPath = 'spec.clusterIPs'
const families = ['IPv4', 'IPv6']
const policies = ['PreferDualStack', 'RequireDualStack', 'SingleStack']

export function validateClusterIps(service: Service, old: Service | undefined): FieldError[] {
  const spec = traits.specOf(service)
  // An ExternalName has none of these; that is checked with its type.
  if (spec.type === 'ExternalName') return []
  const ips = spec.clusterIPs ?? []
  const errors = [...checkPair(spec.clusterIP, ips), ...checkFamilies(spec)]
  const malformed = checkEach(ips, old?.spec?.clusterIPs)
  errors.push(...malformed)
  if (ips.length > 2) errors.push(invalid(ipsPath, ips, 'may only hold up to 2 values'))
  // What follows would only confuse when the values themselves are wrong.
  if (malformed.length > 0) return errors
  if (ips.length > 1 && new Set(ips.map(traits.familyOfIp)).size < 2)
    errors.push(invalid(ipsPath, ips, 'may specify no more than one IP for each IP family'))
  if (traits.isHeadless(spec)) return errors
  for (const [at, ip] of ips.entries()) {
    const family = spec.ipFamilies?.[at]
    if (family !== undefined && families.includes(family) && family !== traits.familyOfIp(ip))
      errors.push(invalid(`${ipsPath}[${at}]`, ip, `expected an ${family} value as indicated by \`ipFamilies[${at}]\``))
  }
  return errors
}

function checkPair(single: string | undefined, ips: readonly string[]): FieldError[] {
  if (single) {
    if (ips.length === 0) return [required(ipsPath)]
    return ips[0] === single ? [] : [invalid(ipsPath, ips, 'first value must match `clusterIP`')]
  }
  return ips.length === 0 ? [] : [invalid(ipsPath, ips, 'must be empty when `clusterIP` is not specified')]
}

function checkFamilies(spec: ReturnType<typeof traits.specOf>): FieldError[] {
  const errors: FieldError[] = []
  const seen = new Set<string>()
  for (const [at, family] of (spec.ipFamilies ?? []).entries()) {
    if (!families.includes(family)) errors.push(notSupported(`spec.ipFamilies[${at}]`, family, families))
    if (seen.has(family)) errors.push(duplicate(`spec.ipFamilies[${at}]`, family))
    seen.add(family)
  }
  const policy = spec.ipFamilyPolicy
  if (policy !== undefined && !policies.includes(policy))
    errors.push(notSupported('spec.ipFamilyPolicy', policy, policies))
  return errors
}

function checkEach(ips: readonly string[], known: readonly string[] | undefined): FieldError[] {
  return ips.flatMap((ip, at) => {
    if (at > 0 || ip !== 'None') return checkIp(`${ipsPath}[${at}]`, ip, known)
    return ips.length > 1 ? [invalid(ipsPath, ips, "'None' must be the first and only value")] : []
  })
}
