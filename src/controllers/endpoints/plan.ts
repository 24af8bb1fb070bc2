// The Endpoints object of one Service: the older, single-family list of its pods, which clients of v1 still read.

import {
  type EndpointAddress,
  type EndpointSubset,
  type Endpoints,
  type Pod,
  type Service,
  endpoints,
} from '#api/core.ts'
import { isPodReady } from '#api/pod-state.ts'
import type { Stored } from '#api/stored.ts'
import { type Act, targetOf } from '#client/control/act.ts'
import { repack, truncate } from '#controllers/endpoints/subsets.ts'
import {
  addressTypes,
  belongsInEndpoints,
  endpointPorts,
  hasHostname,
  isHeadless,
  podAddresses,
} from '#controllers/endpointslice/endpoint.ts'
import { headlessLabel, triggerTimeAnnotation } from '#controllers/endpointslice/slice.ts'
import { equalJson } from '#lib/equal.ts'

/** More addresses than this are left out, and an annotation says so. */
export const capacity = 1000
export const overCapacityAnnotation = 'endpoints.kubernetes.io/over-capacity'
export const managedByLabel = 'endpoints.kubernetes.io/managed-by'
const managedBy = 'endpoint-controller'

export type EndpointsState = {
  readonly service: Stored<Service>
  /** those that its selector matches */
  readonly pods: Iterable<Stored<Pod>>
  readonly current: Stored<Endpoints> | undefined
  readonly triggerTime: string | undefined
}

export function planEndpoints({ service, pods, current, triggerTime }: EndpointsState): readonly Act[] {
  const all = repack(wantedSubsets(service, pods))
  const subsets = truncate(all, capacity)
  const labels = labelsOf(service)
  const isOver = subsets !== all
  const isCurrent =
    current !== undefined &&
    equalJson(current.subsets, subsets) &&
    equalJson(current.metadata.labels, labels) &&
    (current.metadata.annotations?.[overCapacityAnnotation] !== undefined) === isOver
  if (isCurrent) return []

  const { [triggerTimeAnnotation]: _, [overCapacityAnnotation]: __, ...others } = current?.metadata.annotations ?? {}
  const annotations = {
    ...others,
    ...(triggerTime === undefined ? {} : { [triggerTimeAnnotation]: triggerTime }),
    ...(isOver ? { [overCapacityAnnotation]: 'truncated' } : {}),
  }
  const { name, namespace } = service.metadata
  const metadata = { ...(current?.metadata ?? { name, namespace }), labels, annotations }
  const object: Endpoints = { apiVersion: 'v1', kind: 'Endpoints', metadata, subsets }
  return [{ kind: current === undefined ? 'create' : 'update', resource: endpoints, object }]
}

/** The Service is gone: so goes its Endpoints object, unless it is the lock of an election. */
export function planRemoval(current: Stored<Endpoints> | undefined): readonly Act[] {
  if (current?.metadata.annotations?.['control-plane.alpha.kubernetes.io/leader'] !== undefined) return []
  return current === undefined ? [] : [{ kind: 'delete', resource: endpoints, target: targetOf(current) }]
}

function labelsOf(service: Stored<Service>): Readonly<Record<string, string>> {
  const { [headlessLabel]: _, ...labels } = service.metadata.labels ?? {}
  return { ...labels, ...(isHeadless(service) ? { [headlessLabel]: '' } : {}), [managedByLabel]: managedBy }
}

/** One subset per pod and port; only the Service's first family. Pods on their way out leave, unless all are published. */
function wantedSubsets(service: Stored<Service>, pods: Iterable<Stored<Pod>>): readonly EndpointSubset[] {
  const [family = 'IPv4'] = addressTypes(service)
  const publishAll = service.spec.publishNotReadyAddresses === true
  const hasPorts = (service.spec.ports?.length ?? 0) > 0
  const subsets: EndpointSubset[] = []
  for (const pod of pods) {
    if (!belongsInEndpoints(pod, publishAll)) continue
    const [ip] = podAddresses(pod, family)
    if (ip === undefined || (!hasPorts && !isHeadless(service))) continue
    const address = addressOf(ip, pod, service)
    const list = publishAll || isPodReady(pod) ? { addresses: [address] } : { notReadyAddresses: [address] }
    if (!hasPorts) subsets.push(list)
    for (const { name, port = 0, protocol, appProtocol } of endpointPorts(service, pod)) {
      const bare = {
        ...(name ? { name } : {}),
        port,
        ...(protocol === undefined ? {} : { protocol }),
        ...(appProtocol === undefined ? {} : { appProtocol }),
      }
      subsets.push({ ...list, ports: [bare] })
    }
  }
  return subsets
}

function addressOf(ip: string, pod: Stored<Pod>, service: Stored<Service>): EndpointAddress {
  const { name, namespace, uid } = pod.metadata
  const { hostname, nodeName } = pod.spec
  return {
    ip,
    ...(hostname !== undefined && hasHostname(pod, service) ? { hostname } : {}),
    ...(nodeName ? { nodeName } : {}),
    targetRef: { kind: 'Pod', namespace, name, uid },
  }
}
