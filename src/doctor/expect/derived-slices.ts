// Who stands behind Services where nobody gave EndpointSlices: by Endpoints, else by pods and selectors, as Kubernetes' own
// controllers would write them.

import type { Endpoints, Pod, Service } from '#api/core.ts'
import type { EndpointSlice } from '#api/discovery.ts'
import { matchSelectorMap } from '#api/selector.ts'
import { hasSelector, specOf } from '#api/service/traits.ts'
import { serviceLabel } from '#doctor/expect/endpoints.ts'
import { podIps } from '#trace/world.ts'

type Family = 'IPv4' | 'IPv6'
const families: readonly Family[] = ['IPv4', 'IPv6']
const isOf = (family: Family) => (ip: string) => ip.includes(':') === (family === 'IPv6')

const sliceOf = ({ metadata }: Service | Endpoints, addressType: Family, fields: object): EndpointSlice =>
  ({
    metadata: {
      name: `${metadata?.name}-${addressType}`,
      namespace: metadata?.namespace,
      labels: { [serviceLabel]: metadata?.name ?? '' },
    },
    addressType,
    ...fields,
  }) as EndpointSlice

export const slicesOfEndpoints = (all: readonly Endpoints[]): EndpointSlice[] =>
  all.flatMap((own) =>
    (own.subsets ?? []).flatMap(({ addresses = [], notReadyAddresses = [], ports = [] }) =>
      families.flatMap((family) => {
        const endpoints = [
          ...addresses.map((one) => ({ ...one, ready: true })),
          ...notReadyAddresses.map((one) => ({ ...one, ready: false })),
        ]
          .filter(({ ip = '' }) => isOf(family)(ip))
          .map(({ ip = '', nodeName, ready }) => ({ addresses: [ip], nodeName, conditions: { ready } }))
        return endpoints.length === 0 ? [] : [sliceOf(own, family, { endpoints, ports })]
      }),
    ),
  )

export const slicesOfPods = (services: readonly Service[], pods: readonly Pod[]): EndpointSlice[] =>
  services
    .filter((service) => hasSelector(specOf(service)))
    .flatMap((service) => {
      const chosen = pods.filter(
        ({ metadata, status }) =>
          (metadata?.namespace ?? 'default') === (service.metadata?.namespace ?? 'default') &&
          status?.phase !== 'Succeeded' &&
          status?.phase !== 'Failed' &&
          matchSelectorMap(service.spec?.selector, metadata?.labels),
      )
      return chosen.flatMap((pod) => families.flatMap((family) => sliceOfPod(service, pod, family)))
    })

/** One slice for each pod: a named port may be another number in each. */
function sliceOfPod(service: Service, pod: Pod, family: Family): readonly EndpointSlice[] {
  const addresses = podIps(pod).filter(isOf(family)).slice(0, 1)
  if (addresses.length === 0) return []
  const isEnding = pod.metadata?.deletionTimestamp !== undefined
  const isReady = pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false
  const ready = service.spec?.publishNotReadyAddresses === true || (isReady && !isEnding)
  const ports = (service.spec?.ports ?? []).flatMap(({ name, protocol, port, targetPort = port }) => {
    const number = portOf(pod, targetPort, protocol)
    return number === undefined ? [] : [{ name: name ?? '', protocol: protocol ?? 'TCP', port: number }]
  })
  const endpoints = [
    { addresses, nodeName: pod.spec?.nodeName, conditions: { ready, serving: isReady, terminating: isEnding } },
  ]
  return [sliceOf(service, family, { endpoints, ports })]
}

function portOf(pod: Pod, target: number | string | undefined, protocol = 'TCP'): number | undefined {
  if (target === undefined || typeof target === 'number') return target
  if (/^\d+$/.test(target)) return Number(target)
  return [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])]
    .flatMap(({ ports = [] }) => ports)
    .find((one) => one.name === target && (one.protocol ?? 'TCP') === protocol)?.containerPort
}
