// ServiceCIDRs and IPAddresses: what they may say (Kubernetes' pkg/apis/networking).

import { checkCanonicalCidr, checkCanonicalIp } from '#api/address.ts'
import { checkForm } from '#api/check-field.ts'
import { type FieldError, invalid, required } from '#api/field-error.ts'
import { dns1123Subdomain, pathSegment } from '#api/names.ts'
import type { IPAddress, ServiceCIDR } from '#api/networking.ts'
import { equalJson } from '#lib/equal.ts'

export function validateServiceCidr({ spec }: ServiceCIDR, old: ServiceCIDR | undefined): FieldError[] {
  const cidrs = spec?.cidrs ?? []
  if (old === undefined) return checkCidrs(cidrs)
  const before = old.spec?.cidrs ?? []
  const path = 'spec.cidrs'
  // A second family may be added; nothing else changes.
  const isAdded = before.length === 1 && cidrs.length === 2
  if (cidrs.length !== before.length && !isAdded) return [invalid(path, cidrs, 'field is immutable')]
  const changed = before.flatMap((cidr, at) =>
    cidr === cidrs[at] ? [] : [invalid(`${path}[${at}]`, cidrs[at], 'field is immutable')],
  )
  return isAdded ? [...changed, ...checkCidrs(cidrs)] : changed
}

function checkCidrs(cidrs: readonly string[]): FieldError[] {
  const path = 'spec.cidrs'
  if (cidrs.length === 0) return [required(path, 'at least one CIDR required')]
  if (cidrs.length > 2) return [invalid(path, { CIDRs: cidrs }, 'may only hold up to 2 values')]
  const errors = cidrs.flatMap((cidr, at) => checkCanonicalCidr(`${path}[${at}]`, cidr))
  const families = new Set(cidrs.map((cidr) => cidr.includes(':')))
  if (errors.length === 0 && cidrs.length > families.size) {
    const detail = 'may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64'
    errors.push(invalid(path, cidrs, detail))
  }
  return errors
}

/** Whether addresses may be taken from it: it is said to be ready and does not go. */
export function isUsable({ metadata, status }: ServiceCIDR): boolean {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready')
  return ready?.status === 'True' && metadata?.deletionTimestamp === undefined
}

export function ipAddressName(name: string): string | undefined {
  return checkCanonicalIp('', name)[0]?.detail
}

export function validateIpAddress({ spec }: IPAddress, old: IPAddress | undefined): FieldError[] {
  const parent = spec?.parentRef
  const path = 'spec.parentRef'
  if (old !== undefined)
    return equalJson(parent, old.spec?.parentRef) ? [] : [invalid(path, parent, 'field is immutable')]
  if (parent === undefined) return [required(path)]
  const { group, resource, name, namespace } = parent
  return [
    ...(group ? checkForm(`${path}.group`, group, dns1123Subdomain) : []),
    ...(resource ? checkForm(`${path}.resource`, resource, pathSegment) : [required(`${path}.resource`)]),
    ...(name ? checkForm(`${path}.name`, name, pathSegment) : [required(`${path}.name`)]),
    ...(namespace ? checkForm(`${path}.namespace`, namespace, pathSegment) : []),
  ]
}
