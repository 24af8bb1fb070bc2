// What the status of a pod may say.

import { checkIp } from '#api/address.ts'
import { checkForm } from '#api/check-field.ts'
import type { Pod } from '#api/core.ts'
import { type FieldError, invalid } from '#api/field-error.ts'
import { dns1123Subdomain, qualifiedName } from '#api/names.ts'

export function validatePodStatus(pod: Pod, old: Pod): FieldError[] {
  const { conditions = [], nominatedNodeName, qosClass, podIPs = [], hostIPs = [] } = pod.status ?? {}
  const errors = conditions.flatMap(({ type }, at) => checkForm(`status.conditions[${at}].Type`, type, qualifiedName))
  if (nominatedNodeName && nominatedNodeName !== old.status?.nominatedNodeName)
    errors.push(...checkForm('status.nominatedNodeName', nominatedNodeName, dns1123Subdomain))
  if ((qosClass ?? '') !== (old.status?.qosClass ?? ''))
    errors.push(invalid('status.qosClass', qosClass, 'field is immutable'))
  errors.push(...checkIps('podIPs', podIPs, old.status?.podIPs), ...checkIps('hostIPs', hostIPs, old.status?.hostIPs))
  return errors
}

type Ips = readonly { readonly ip: string }[]

function checkIps(list: 'podIPs' | 'hostIPs', ips: Ips, known: Ips | undefined): FieldError[] {
  const path = `status.${list}`
  const before = known?.map(({ ip }) => ip)
  const errors = ips.flatMap(({ ip }, at) => checkIp(`${path}[${at}]`, ip, before))
  const families = new Set(ips.map(({ ip }) => ip.includes(':')))
  if (ips.length > families.size) {
    const shown = ips.map(({ ip }) => ({ IP: ip }))
    errors.push(invalid(path, shown, 'may specify no more than one IP for each IP family'))
  }
  return errors
}
