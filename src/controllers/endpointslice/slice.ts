// One EndpointSlice of a Service: its labels, owner and place in a group of equal ports.

import { type Service, services } from '#api/core.ts'
import type { Endpoint, EndpointPort, EndpointSlice } from '#api/discovery.ts'
import { controllerReference } from '#api/owner.ts'
import type { Stored } from '#api/stored.ts'
import { type AddressType, isHeadless } from '#controllers/endpointslice/endpoint.ts'
import { equalJson } from '#lib/equal.ts'

export const serviceNameLabel = 'kubernetes.io/service-name'
export const managedByLabel = 'endpointslice.kubernetes.io/managed-by'
export const managedBy = 'endpointslice-controller.k8s.io'
export const headlessLabel = 'service.kubernetes.io/headless'
export const triggerTimeAnnotation = 'endpoints.kubernetes.io/last-change-trigger-time'

const ownLabels = new Set([serviceNameLabel, managedByLabel, headlessLabel])

/** A slice that exists, or one to be created, which has no name yet. */
export type Draft = EndpointSlice & { readonly endpoints: readonly Endpoint[] }

type Labels = Readonly<Record<string, string>>
const withoutOwn = (labels: Labels | undefined): Labels =>
  Object.fromEntries(Object.entries(labels ?? {}).filter(([key]) => !ownLabels.has(key)))

/** A Service's labels as its slices carry them, with those by which they are found. */
export function sliceLabels(service: Stored<Service>): Labels {
  return {
    ...withoutOwn(service.metadata.labels),
    ...(isHeadless(service) ? { [headlessLabel]: '' } : {}),
    [serviceNameLabel]: service.metadata.name,
    [managedByLabel]: managedBy,
  }
}

export function hasLabelsOf(slice: EndpointSlice, service: Stored<Service>): boolean {
  return equalJson(withoutOwn(slice.metadata?.labels), withoutOwn(service.metadata.labels))
}

export function newSlice(
  service: Stored<Service>,
  addressType: AddressType,
  ports: readonly EndpointPort[],
  endpoints: readonly Endpoint[],
): Draft {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      generateName: `${service.metadata.name}-`,
      namespace: service.metadata.namespace,
      labels: sliceLabels(service),
      ownerReferences: [controllerReference(services, service)],
    },
    addressType,
    endpoints,
    ports,
  }
}

export function isOwnedBy(slice: EndpointSlice, service: Stored<Service>): boolean {
  return (slice.metadata?.ownerReferences ?? []).some(({ uid }) => uid === service.metadata.uid)
}

/** Equal for slices that may share endpoints: the same ports, in any order. */
export function portKey(ports: readonly EndpointPort[] | undefined): string {
  return (ports ?? [])
    .map(({ name = '', protocol = 'TCP', port = '', appProtocol = '' }) => `${name}|${protocol}|${port}|${appProtocol}`)
    .sort()
    .join(',')
}

/** Which endpoint this is, whatever its state: by address, host name and pod. */
export function endpointKey({ addresses, hostname = '', targetRef }: Endpoint): string {
  return `${addresses.toSorted().join(',')}|${hostname}|${targetRef?.namespace ?? ''}/${targetRef?.name ?? ''}`
}

/** Whether two endpoints of the same key are in the same state. Hints are compared by their own rule. */
export function sameState(a: Endpoint, b: Endpoint): boolean {
  return (
    a.nodeName === b.nodeName &&
    a.zone === b.zone &&
    equalJson(a.conditions, b.conditions) &&
    equalJson({ ...a.targetRef, resourceVersion: undefined }, { ...b.targetRef, resourceVersion: undefined })
  )
}
