// Ingresses and IngressClasses.

import type { AdmitContext, Kind } from '#apiserver/kind.ts'
import { age, ageColumn, nameColumn, nameOf, text } from '#apiserver/kinds/cells.ts'
import { isDefaultClass, newestOf } from '#api/default-class.ts'
import {
  defaultIngressClass,
  validateIngress,
  validateIngressClass,
  validateIngressStatus,
} from '#api/ingress/validate.ts'
import { type Ingress, type IngressClass, ingressClasses, ingresses } from '#api/networking.ts'

export const ingressKind: Kind<Ingress> = {
  resource: ingresses,
  type: 'networking.Ingress',
  singular: 'ingress',
  shortNames: ['ing'],
  columns: [nameColumn, text('Class'), text('Hosts'), text('Address'), text('Ports'), ageColumn],
  row: (ingress, nowMs) => [
    nameOf(ingress),
    ingress.spec?.ingressClassName ?? '<none>',
    hostsText(ingress),
    addressText(ingress),
    ingress.spec?.tls?.length ? '80, 443' : '80',
    age(ingress, nowMs),
  ],
  prepareCreate: (ingress) => ({ ...ingress, status: { loadBalancer: {} } }),
  prepareUpdate: (ingress, old) => ({ ...ingress, status: old.status ?? { loadBalancer: {} } }),
  admit: {
    create: async (ingress, context) => ({ kind: 'admitted', object: await giveDefaultClass(ingress, context) }),
  },
  validate: validateIngress,
  warnings: (ingress, old) =>
    old === undefined && ingress.metadata?.annotations?.['kubernetes.io/ingress.class'] !== undefined
      ? ['annotation "kubernetes.io/ingress.class" is deprecated, please use \'spec.ingressClassName\' instead']
      : [],
  generation: 'spec',
  status: { validate: validateIngressStatus },
}

/** An Ingress that names no class gets the one that is marked as the default, the newest where there are several. */
async function giveDefaultClass(ingress: Ingress, context: AdmitContext): Promise<Ingress> {
  const { spec, metadata } = ingress
  if (spec?.ingressClassName !== undefined || metadata?.annotations?.['kubernetes.io/ingress.class'] !== undefined)
    return ingress
  const newest = newestOf((await context.objects.list(ingressClasses)).filter(isDefaultClass))
  return newest === undefined ? ingress : { ...ingress, spec: { ...spec, ingressClassName: nameOf(newest) } }
}

function hostsText({ spec }: Ingress): string {
  const rules = spec?.rules ?? []
  const hosts = rules
    .slice(0, 3)
    .map(({ host }) => host ?? '')
    .filter((host) => host !== '')
  if (hosts.length === 0) return '*'
  return rules.length > 3 ? `${hosts.join(',')} + ${rules.length - 3} more...` : hosts.join(',')
}

function addressText({ status }: Ingress): string {
  const points = (status?.loadBalancer?.ingress ?? []).map((point) => point.ip || point.hostname || '')
  return [...new Set(points.filter((point) => point !== ''))].sort().join(',')
}

export const ingressClassKind: Kind<IngressClass> = {
  resource: ingressClasses,
  type: 'networking.IngressClass',
  singular: 'ingressclass',
  columns: [nameColumn, text('Controller'), text('Parameters'), ageColumn],
  row: (ingressClass, nowMs) => [
    isDefaultClass(ingressClass) ? `${nameOf(ingressClass)} (default)` : nameOf(ingressClass),
    ingressClass.spec?.controller ?? '',
    parametersText(ingressClass),
    age(ingressClass, nowMs),
  ],
  default: defaultIngressClass,
  validate: validateIngressClass,
  generation: 'spec',
}

function parametersText({ spec }: IngressClass): string {
  const parameters = spec?.parameters
  if (parameters === undefined) return '<none>'
  const { kind, apiGroup, name } = parameters
  return `${kind}${apiGroup === undefined ? '' : `.${apiGroup}`}/${name}`
}
