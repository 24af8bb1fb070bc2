// Ingresses and IngressClasses: what they may say (Kubernetes' pkg/apis/networking).

import { checkIp } from '#api/address.ts'
import { checkForm, checkOptional, checkOptionalWord, checkPortReference } from '#api/check-field.ts'
import { type FieldError, forbidden, invalid, notSupported, required, tooLong } from '#api/field-error.ts'
import * as names from '#api/names.ts'
import type { Ingress, IngressBackend, IngressClass, IngressRule } from '#api/networking.ts'
import type { Typed } from '#api/schema/schema.ts'
import { isValidIp } from '#lib/ip.ts'

type HttpPath = Typed<'networking', 'HTTPIngressPath'>
type Tls = Typed<'networking', 'IngressTLS'>
type Reference = { readonly apiGroup?: string; readonly kind: string; readonly name: string }

const classAnnotation = 'kubernetes.io/ingress.class'

export function validateIngress(ingress: Ingress, old: Ingress | undefined): FieldError[] {
  const { rules = [], defaultBackend, tls = [], ingressClassName } = ingress.spec ?? {}
  const errors: FieldError[] = []
  if (rules.length === 0 && defaultBackend === undefined)
    errors.push(invalid('spec', ingress.spec?.rules, 'either `defaultBackend` or `rules` must be specified'))
  if (defaultBackend) errors.push(...checkBackend(defaultBackend, 'spec.defaultBackend'))
  for (const [at, rule] of rules.entries()) errors.push(...checkRule(rule, `spec.rules[${at}]`))
  for (const [at, entry] of tls.entries()) errors.push(...checkTls(entry, `spec.tls[${at}]`))
  errors.push(...checkOptional('spec.ingressClassName', ingressClassName, names.dns1123Subdomain))
  const annotated = ingress.metadata?.annotations?.[classAnnotation]
  if (!old && annotated !== undefined && ingressClassName !== undefined && annotated !== ingressClassName) {
    const detail = 'must match `ingressClassName` when both are specified'
    errors.push(invalid(`annotations.${classAnnotation}`, annotated, detail))
  }
  return errors
}

function checkTls({ hosts = [], secretName }: Tls, path: string): FieldError[] {
  return [
    ...hosts.flatMap((host, at) => checkHost(host, `${path}.hosts[${at}]`)),
    ...checkOptional(`${path}.secretName`, secretName, names.dns1123Subdomain),
  ]
}

function checkHost(host: string, path: string): FieldError[] {
  return checkForm(path, host, host.includes('*') ? names.wildcardDns1123Subdomain : names.dns1123Subdomain)
}

function checkRule({ host, http }: IngressRule, path: string): FieldError[] {
  const errors: FieldError[] = []
  if (host) {
    if (isValidIp(host)) errors.push(invalid(`${path}.host`, host, 'must be a DNS name, not an IP address'))
    errors.push(...checkHost(host, `${path}.host`))
  }
  if (http === undefined) return errors
  if (http.paths.length === 0) errors.push(required(`${path}.http.paths`))
  return [...errors, ...http.paths.flatMap((entry, at) => checkPath(entry, `${path}.http.paths[${at}]`))]
}

const pathTypes = ['Exact', 'ImplementationSpecific', 'Prefix']

function checkPath({ path: url = '', pathType, backend }: HttpPath, path: string): FieldError[] {
  if (!pathType) return [required(`${path}.pathType`, 'pathType must be specified')]
  const place = `${path}.path`
  const errors: FieldError[] = []
  const isExact = pathType === 'Exact' || pathType === 'Prefix'
  if (!pathTypes.includes(pathType)) errors.push(notSupported(`${path}.pathType`, pathType, pathTypes))
  else if (!url.startsWith('/') && (isExact || url !== '')) errors.push(invalid(place, url, 'must be an absolute path'))
  if (isExact) {
    for (const part of ['//', '/./', '/../', '%2f', '%2F'])
      if (url.includes(part)) errors.push(invalid(place, url, `must not contain '${part}'`))
    for (const end of ['/..', '/.']) if (url.endsWith(end)) errors.push(invalid(place, url, `cannot end with '${end}'`))
  }
  return [...errors, ...checkBackend(backend ?? {}, `${path}.backend`)]
}

function checkBackend({ service, resource }: IngressBackend, path: string): FieldError[] {
  if (service && resource) return [invalid(path, '', 'cannot set both resource and service backends')]
  if (resource) return checkReference(resource, `${path}.resource`)
  if (!service) return [invalid(path, '', 'resource or service backend is required')]
  const errors = service.name
    ? checkForm(`${path}.service.name`, service.name, names.dns1123Label)
    : [required(`${path}.service.name`)]
  const { name, number } = service.port ?? {}
  if (name && number) errors.push(invalid(path, '', 'cannot set both port name & port number'))
  else if (name) errors.push(...checkPortReference(`${path}.service.port.name`, name))
  else if (number) errors.push(...checkPortReference(`${path}.service.port.number`, number))
  else errors.push(required(path, 'port name or number is required'))
  return errors
}

function checkReference({ apiGroup, kind, name }: Reference, path: string): FieldError[] {
  return [
    ...(apiGroup === undefined ? [] : checkForm(`${path}.apiGroup`, apiGroup, names.dns1123Subdomain)),
    ...(kind ? checkForm(`${path}.kind`, kind, names.pathSegment) : [required(`${path}.kind`)]),
    ...(name ? checkForm(`${path}.name`, name, names.pathSegment) : [required(`${path}.name`)]),
  ]
}

export function validateIngressStatus(ingress: Ingress, old: Ingress): FieldError[] {
  const known = (old.status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => (ip ? [ip] : []))
  return (ingress.status?.loadBalancer?.ingress ?? []).flatMap(({ ip, hostname }, at) => {
    const path = `status.loadBalancer.ingress[${at}]`
    const errors = ip ? checkIp(`${path}.ip`, ip, known) : []
    if (hostname) {
      errors.push(...checkForm(`${path}.hostname`, hostname, names.dns1123Subdomain))
      if (isValidIp(hostname))
        errors.push(invalid(`${path}.hostname`, hostname, 'must be a DNS name, not an IP address'))
    }
    return errors
  })
}

export function defaultIngressClass(ingressClass: IngressClass): IngressClass {
  const { spec } = ingressClass
  if (!spec?.parameters || spec.parameters.scope !== undefined) return ingressClass
  return { ...ingressClass, spec: { ...spec, parameters: { ...spec.parameters, scope: 'Cluster' } } }
}

export function validateIngressClass({ spec }: IngressClass, old: IngressClass | undefined): FieldError[] {
  const controller = spec?.controller ?? ''
  const path = 'spec.controller'
  const errors: FieldError[] = []
  if (old !== undefined && old.spec?.controller !== spec?.controller)
    errors.push(invalid(path, controller, 'field is immutable'))
  if (controller.length > 250) errors.push(tooLong(path, 250))
  errors.push(...checkDomainPath(path, controller))
  const { parameters } = spec ?? {}
  if (parameters === undefined) return errors
  const place = 'spec.parameters'
  const { scope, namespace } = parameters
  errors.push(...checkReference(parameters, place))
  if (scope === undefined) return [...errors, required(`${place}.scope`)]
  errors.push(...checkOptionalWord(`${place}.scope`, scope, ['Cluster', 'Namespace']))
  if (scope === 'Namespace') {
    if (namespace === undefined) errors.push(required(`${place}.namespace`, "`parameters.scope` is set to 'Namespace'"))
    else errors.push(...checkForm(`${place}.namespace`, namespace, names.dns1123Label))
  }
  if (scope === 'Cluster' && namespace !== undefined)
    errors.push(forbidden(`${place}.namespace`, "`parameters.scope` is set to 'Cluster'"))
  return errors
}

const pathCharacters = "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+"

/** `acme.io/foo` */
export function checkDomainPath(path: string, value: string): FieldError[] {
  if (value === '') return [required(path)]
  const slash = value.indexOf('/')
  const host = value.slice(0, slash)
  const rest = value.slice(slash + 1)
  if (slash < 1 || rest === '') return [invalid(path, value, 'must be a domain-prefixed path (such as "acme.io/foo")')]
  const errors = checkForm(path, host, names.dns1123Subdomain)
  if (!new RegExp(`^${pathCharacters}$`).test(rest))
    errors.push(invalid(path, rest, `Invalid path (regex used for validation is '${pathCharacters}')`))
  return errors
}
