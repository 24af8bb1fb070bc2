// EndpointSlices for Endpoints objects that people write themselves, for Services without a selector.

import { type EndpointAddress, type Endpoints, type Service, endpoints as endpointsResource } from '#api/core.ts'
import { type Endpoint, type EndpointPort, type EndpointSlice, endpointSlices } from '#api/discovery.ts'
import { controllerReference } from '#api/owner.ts'
import type { Stored } from '#api/stored.ts'
import { type Act, eventAbout, targetOf } from '#client/control/act.ts'
import { repack } from '#controllers/endpoints/subsets.ts'
import {
  endpointKey,
  managedByLabel,
  portKey,
  sameState,
  serviceNameLabel,
  triggerTimeAnnotation,
} from '#controllers/endpointslice/slice.ts'
import { equalJson } from '#lib/equal.ts'
import { canonicalIp, ipFamily } from '#lib/ip.ts'

export const mirroredBy = 'endpointslicemirroring-controller.k8s.io'
/** The most addresses of one subset that are mirrored: each subset becomes one slice per family. */
export const maxPerSubset = 1000

const notMirrored = new Set([triggerTimeAnnotation, 'kubectl.kubernetes.io/last-applied-configuration'])

export type MirrorState = {
  readonly endpoints: Stored<Endpoints> | undefined
  readonly service: Stored<Service> | undefined
  /** slices of this name that this controller manages */
  readonly slices: readonly Stored<EndpointSlice>[]
}

/** A Service without selector, and Endpoints that nobody asks to leave alone and that are no election's lock. */
function isMirrored({ endpoints, service }: MirrorState): boolean {
  return (
    endpoints !== undefined &&
    service !== undefined &&
    Object.keys(service.spec.selector ?? {}).length === 0 &&
    endpoints.metadata.labels?.['endpointslice.kubernetes.io/skip-mirror'] !== 'true' &&
    endpoints.metadata.annotations?.['control-plane.alpha.kubernetes.io/leader'] === undefined
  )
}

type Wanted = { readonly addressType: string; readonly ports: readonly EndpointPort[]; readonly endpoints: Endpoint[] }

export function planMirror(state: MirrorState): readonly Act[] {
  const { endpoints, slices } = state
  if (endpoints === undefined || !isMirrored(state)) return slices.map(removal)
  const { wanted, invalid, skipped } = wantedSlices(endpoints)
  const events: Act[] = []
  if (invalid > 0)
    events.push(
      eventAbout(
        endpointsResource,
        endpoints,
        'Warning',
        'InvalidIPAddress',
        `Skipped ${invalid} invalid IP addresses when mirroring to EndpointSlices`,
      ),
    )
  if (skipped > invalid)
    events.push(
      eventAbout(
        endpointsResource,
        endpoints,
        'Warning',
        'TooManyAddressesToMirror',
        `A max of ${maxPerSubset} addresses can be mirrored to EndpointSlices per Endpoints subset. ${skipped} addresses were skipped`,
      ),
    )
  return [...events, ...planWrites(endpoints, wanted, slices)]
}

function planWrites(
  endpoints: Stored<Endpoints>,
  wanted: ReadonlyMap<string, Wanted>,
  slices: readonly Stored<EndpointSlice>[],
): readonly Act[] {
  const spare: Stored<EndpointSlice>[] = []
  const had = new Map<string, Stored<EndpointSlice>>()
  for (const slice of slices) {
    const key = `${slice.addressType}-${portKey(slice.ports)}`
    if (wanted.has(key) && !had.has(key)) had.set(key, slice)
    else spare.push(slice)
  }
  const writes: Act[] = []
  for (const [key, one] of wanted) {
    const slice = had.get(key)
    const object = mirror(endpoints, one)
    if (slice !== undefined && isSame(slice, object)) continue
    const reused = slice ?? takeSpare(spare, one.addressType)
    if (reused === undefined) {
      if (endpoints.metadata.deletionTimestamp === undefined)
        writes.push({ kind: 'create', resource: endpointSlices, object })
      continue
    }
    const { generateName: _, ...metadata } = object.metadata ?? {}
    const { name, uid, resourceVersion } = reused.metadata
    const updated = { ...object, metadata: { ...metadata, name, uid, resourceVersion } }
    writes.push({ kind: 'update', resource: endpointSlices, object: updated })
  }
  return [...writes, ...spare.map(removal)]
}

const removal = (slice: Stored<EndpointSlice>): Act => ({
  kind: 'delete',
  resource: endpointSlices,
  target: targetOf(slice),
})

function takeSpare(spare: Stored<EndpointSlice>[], addressType: string): Stored<EndpointSlice> | undefined {
  const at = spare.findIndex((slice) => slice.addressType === addressType)
  return at === -1 ? undefined : spare.splice(at, 1)[0]
}

function wantedSlices(endpoints: Stored<Endpoints>): {
  readonly wanted: ReadonlyMap<string, Wanted>
  readonly invalid: number
  readonly skipped: number
} {
  const wanted = new Map<string, Wanted>()
  let invalid = 0
  let skipped = 0
  for (const { addresses = [], notReadyAddresses = [], ports = [] } of repack(endpoints.subsets ?? [])) {
    const both = [
      ...addresses.map((address) => ({ address, ready: true })),
      ...notReadyAddresses.map((address) => ({ address, ready: false })),
    ]
    let added = 0
    for (const { address, ready } of both) {
      if (added === maxPerSubset) break
      const family = ipFamily(address.ip)
      if (family === undefined) {
        invalid++
        continue
      }
      const addressType = `IPv${family}`
      const key = `${addressType}-${portKey(ports)}`
      if (!wanted.has(key)) wanted.set(key, { addressType, ports: ports.map(mirrorPort), endpoints: [] })
      wanted.get(key)!.endpoints.push(mirrorAddress(address, ready))
      added++
    }
    skipped += both.length - added
  }
  return { wanted, invalid, skipped }
}

function mirrorPort({ name = '', port, protocol = 'TCP', appProtocol }: EndpointPort): EndpointPort {
  return {
    name,
    ...(port === undefined ? {} : { port }),
    protocol,
    ...(appProtocol === undefined ? {} : { appProtocol }),
  }
}

function mirrorAddress({ ip, hostname, nodeName, targetRef }: EndpointAddress, ready: boolean): Endpoint {
  return {
    addresses: [canonicalIp(ip) ?? ip],
    conditions: { ready },
    ...(hostname ? { hostname } : {}),
    ...(targetRef === undefined ? {} : { targetRef }),
    ...(nodeName ? { nodeName } : {}),
  }
}

function mirror(endpoints: Stored<Endpoints>, { addressType, ports, endpoints: list }: Wanted): EndpointSlice {
  const { name, namespace, labels, annotations = {} } = endpoints.metadata
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      generateName: `${name}-`,
      namespace,
      labels: { ...labels, [serviceNameLabel]: name, [managedByLabel]: mirroredBy },
      annotations: Object.fromEntries(Object.entries(annotations).filter(([key]) => !notMirrored.has(key))),
      ownerReferences: [controllerReference(endpointsResource, endpoints)],
    },
    addressType,
    endpoints: list,
    ports,
  }
}

function isSame(slice: Stored<EndpointSlice>, wanted: EndpointSlice): boolean {
  const before = new Map((slice.endpoints ?? []).map((endpoint) => [endpointKey(endpoint), endpoint]))
  const after = wanted.endpoints ?? []
  return (
    before.size === after.length &&
    after.every((endpoint) => {
      const had = before.get(endpointKey(endpoint))
      return had !== undefined && sameState(had, endpoint)
    }) &&
    equalJson(slice.metadata.labels, wanted.metadata?.labels) &&
    equalJson(
      Object.entries(slice.metadata.annotations ?? {}).sort(),
      Object.entries(wanted.metadata?.annotations ?? {}).sort(),
    ) &&
    equalJson(slice.metadata.ownerReferences, wanted.metadata?.ownerReferences)
  )
}
