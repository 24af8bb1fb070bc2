// Resource fields of the downward API: a container's requests and limits in units of a divisor, rounded up. A limit that
// is not set is what the node can give.

import { parseQuantity, quantityMilliValue } from '#api/quantity.ts'
import type { Container, Pod } from '#api/core.ts'

/** What pods may use of the node, by resource name. */
export type Allocatable = Readonly<Record<string, string>>

type Reference = { readonly containerName?: string; readonly resource: string; readonly divisor?: string }
export type ResourceValue =
  | { readonly kind: 'value'; readonly value: string }
  | { readonly kind: 'none'; readonly message: string }

const known = /^(limits|requests)\.(cpu|memory|ephemeral-storage|hugepages-.+)$/

/** The value of a field of `container`, or of the container that the reference names. */
export function resourceValue(
  reference: Reference,
  pod: Pod,
  container: Container,
  allocatable: Allocatable,
): ResourceValue {
  const [, kind, resource = ''] = known.exec(reference.resource) ?? []
  if (kind === undefined) return none(`unsupported container resource : ${reference.resource}`)
  const whose = reference.containerName ? findContainer(pod, reference.containerName) : container
  if (whose === undefined) return none(`container ${reference.containerName} not found`)
  const { limits = {}, requests = {} } = whose.resources ?? {}
  const text = kind === 'limits' ? (limits[resource] ?? allocatable[resource] ?? '0') : (requests[resource] ?? '0')
  const quantity = parseQuantity(text)
  const divisor = parseQuantity(reference.divisor ?? '1')
  if (quantity.kind === 'error') return none(quantity.message)
  if (divisor.kind === 'error') return none(divisor.message)
  const unit = quantityMilliValue(divisor.value) || 1000
  return { kind: 'value', value: String(Math.ceil(quantityMilliValue(quantity.value) / unit)) }
}

const none = (message: string): ResourceValue => ({ kind: 'none', message })

const findContainer = ({ spec }: Pod, name: string) =>
  [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])].find((container) => container.name === name)
