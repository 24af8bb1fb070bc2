// ServiceCIDRs, and the IPAddresses that Services have of them.

import type { Kind } from '#apiserver/kind.ts'
import { age, ageColumn, nameColumn, nameOf, text } from '#apiserver/kinds/cells.ts'
import { type IPAddress, ipAddresses, type ServiceCIDR, serviceCidrs } from '#api/networking.ts'
import { ipAddressName, validateIpAddress, validateServiceCidr } from '#api/service/cidr.ts'

export const serviceCidrKind: Kind<ServiceCIDR> = {
  resource: serviceCidrs,
  type: 'networking.ServiceCIDR',
  singular: 'servicecidr',
  columns: [nameColumn, text('CIDRs'), ageColumn],
  row: (range, nowMs) => [nameOf(range), (range.spec?.cidrs ?? []).join(','), age(range, nowMs)],
  prepareCreate: (range) => ({ ...range, status: {} }),
  prepareUpdate: (range, old) => ({ ...range, status: old.status ?? {} }),
  validate: validateServiceCidr,
  generation: 'spec',
  status: true,
}

export const ipAddressKind: Kind<IPAddress> = {
  resource: ipAddresses,
  type: 'networking.IPAddress',
  singular: 'ipaddress',
  shortNames: ['ip'],
  columns: [nameColumn, text('ParentRef')],
  row: (address) => [nameOf(address), parentText(address)],
  name: ipAddressName,
  validate: validateIpAddress,
}

/** `services/default/web` */
function parentText({ spec }: IPAddress): string {
  const parent = spec?.parentRef
  if (parent === undefined) return '<none>'
  const { group, resource, namespace, name } = parent
  const qualified = group ? `${resource}.${group}` : resource
  return [qualified, ...(namespace ? [namespace] : []), name].join('/')
}
