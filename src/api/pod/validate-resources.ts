// What a container may ask for: known or qualified resources, no request above its limit.

import type { Container } from '#api/core.ts'
import { type FieldError, forbidden, invalid, notFound, required } from '#api/field-error.ts'
import { qualifiedName } from '#api/names.ts'
import { compareQuantity, formatQuantity, parseQuantity, type Quantity, quantityMilliValue } from '#api/quantity.ts'

type Resources = NonNullable<Container['resources']>

const ofContainers = ['cpu', 'memory', 'ephemeral-storage']
const others = [
  'storage',
  'pods',
  'services',
  'replicationcontrollers',
  'resourcequotas',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'services.nodeports',
  'services.loadbalancers',
]

export function checkResources(resources: Resources, path: string, claims: ReadonlySet<string>): FieldError[] {
  const { limits = {}, requests = {} } = resources
  const errors = [
    ...Object.entries(limits).flatMap(([name, value]) => checkAmount(name, value, `${path}.limits[${name}]`)),
    ...Object.entries(requests).flatMap(([name, value]) => [
      ...checkAmount(name, value, `${path}.requests[${name}]`),
      ...checkRequest(name, value, limits[name], path),
    ]),
  ]
  const named = new Set([...Object.keys(limits), ...Object.keys(requests)])
  const hasHugePages = [...named].some((name) => name.startsWith('hugepages-'))
  if (hasHugePages && !named.has('cpu') && !named.has('memory'))
    errors.push(forbidden(path, 'HugePages require cpu or memory'))
  return [...errors, ...checkClaims(resources, path, claims)]
}

function checkAmount(name: string, value: string, path: string): FieldError[] {
  return [...checkResourceName(name, path), ...checkQuantity(name, value, path)]
}

function checkResourceName(name: string, path: string): FieldError[] {
  const malformed = qualifiedName(name)
  if (malformed.length > 0) return malformed.map((detail) => invalid(path, name, detail))
  if (name.includes('/')) {
    const isExtended = !name.includes('kubernetes.io/') && !name.startsWith('requests.')
    const isNative = name.includes('kubernetes.io/')
    return isExtended || isNative ? [] : [invalid(path, name, "doesn't follow extended resource name standard")]
  }
  if (ofContainers.includes(name) || name.startsWith('hugepages-')) return []
  const standard = others.includes(name)
    ? []
    : [invalid(path, name, 'must be a standard resource type or fully qualified')]
  return [...standard, invalid(path, name, 'must be a standard resource for containers')]
}

export function checkQuantity(name: string, value: string, path: string): FieldError[] {
  const quantity = read(value)
  if (quantity === undefined) return []
  const errors: FieldError[] = []
  if (compareQuantity(quantity, zero) < 0)
    errors.push(invalid(path, formatQuantity(quantity), 'must be greater than or equal to 0'))
  const isWhole = name.includes('/') && !name.includes('kubernetes.io/')
  if (isWhole && quantityMilliValue(quantity) % 1000 !== 0) errors.push(invalid(path, value, 'must be an integer'))
  return errors
}

function checkRequest(name: string, value: string, limit: string | undefined, path: string): FieldError[] {
  const canOvercommit = (!name.includes('/') || name.includes('kubernetes.io/')) && !name.startsWith('hugepages-')
  const request = read(value)
  const bound = limit === undefined ? undefined : read(limit)
  if (bound === undefined)
    return canOvercommit ? [] : [required(`${path}.limits`, 'Limit must be set for non overcommitable resources')]
  if (request === undefined) return []
  const order = compareQuantity(request, bound)
  const shown = formatQuantity(request)
  const most = formatQuantity(bound)
  if (order !== 0 && !canOvercommit)
    return [invalid(`${path}.requests`, shown, `must be equal to ${name} limit of ${most}`)]
  if (order > 0) return [invalid(`${path}.requests`, shown, `must be less than or equal to ${name} limit of ${most}`)]
  return []
}

function checkClaims({ claims = [] }: Resources, path: string, known: ReadonlySet<string>): FieldError[] {
  return claims.flatMap(({ name }, at) => {
    const place = `${path}.claims[${at}]`
    if (!name) return [required(place)]
    if (known.has(name)) return []
    const list = known.size === 0 ? ' which is empty' : `: ${[...known].sort().join(', ')}`
    return [{ ...notFound(place, name), detail: `must be one of the names in pod.spec.resourceClaims${list}` }]
  })
}

function read(text: string): Quantity | undefined {
  const parsed = parseQuantity(text)
  return parsed.kind === 'ok' ? parsed.value : undefined
}
const zero = read('0')!
