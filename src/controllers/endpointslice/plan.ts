// The EndpointSlices of one Service: the fewest writes that make them say what its pods are now.
//
// Endpoints stay in the slice where they are. Slices that change anyway are filled first, then one that has room for
// all the rest, and only then new ones are made. Slices with different ports (pods may give a named port different
// numbers) stand apart. A Service without any pod keeps one slice without endpoints, so that everyone can tell "none"
// from "not yet".

import type { Node, Pod, Service } from '#api/core.ts'
import { type Endpoint, type EndpointPort, type EndpointSlice, endpointSlices } from '#api/discovery.ts'
import type { Stored } from '#api/stored.ts'
import { type Act, targetOf } from '#client/control/act.ts'
import {
  type AddressType,
  addressTypes,
  belongsInEndpoints,
  endpointOf,
  endpointPorts,
} from '#controllers/endpointslice/endpoint.ts'
import { preferenceOf, withHints } from '#controllers/endpointslice/hints.ts'
import {
  type Draft,
  endpointKey,
  hasLabelsOf,
  isOwnedBy,
  newSlice,
  portKey,
  sameState,
  sliceLabels,
  triggerTimeAnnotation,
} from '#controllers/endpointslice/slice.ts'
import { equalJson } from '#lib/equal.ts'

export type EndpointSliceState = {
  readonly service: Stored<Service>
  /** those that its selector matches */
  readonly pods: Iterable<Stored<Pod>>
  readonly nodeNamed: (name: string) => Node | undefined
  /** the Service's slices that this controller manages, without those on their way out */
  readonly slices: readonly Stored<EndpointSlice>[]
  /** when the change happened that leads to this sync, if it is known */
  readonly triggerTime: string | undefined
  readonly maxPerSlice: number
}

export type EndpointSlicePlan = {
  readonly acts: readonly Act[]
  /** pods that are left out because their node is unknown; try again when it appears */
  readonly withoutNode: readonly string[]
}

type Kept = { readonly before: Stored<EndpointSlice>; after: Draft }
type Changes = { readonly create: Draft[]; readonly keep: Kept[]; readonly drop: Stored<EndpointSlice>[] }

export function planEndpointSlices(state: EndpointSliceState): EndpointSlicePlan {
  const types = addressTypes(state.service)
  const withoutNode = new Set<string>()
  const changes: Changes = { create: [], keep: [], drop: [] }
  changes.drop.push(...state.slices.filter(({ addressType }) => !types.includes(addressType as AddressType)))
  for (const type of types) {
    const its = state.slices.filter(({ addressType }) => addressType === type)
    const one = planFamily(state, type, its, withoutNode)
    for (const key of ['create', 'keep', 'drop'] as const) changes[key].push(...(one[key] as never[]))
  }
  return { acts: actsOf(state, changes), withoutNode: [...withoutNode] }
}

function planFamily(
  state: EndpointSliceState,
  type: AddressType,
  slices: readonly Stored<EndpointSlice>[],
  withoutNode: Set<string>,
): Changes {
  const { service } = state
  const changes: Changes = { create: [], keep: [], drop: slices.filter((slice) => !isOwnedBy(slice, service)) }
  const existing = Map.groupBy(
    slices.filter((slice) => isOwnedBy(slice, service)),
    ({ ports }) => portKey(ports),
  )
  const wanted = wantedEndpoints(state, type, withoutNode)
  for (const [key, { ports, endpoints }] of wanted) {
    planGroup(state, type, ports, endpoints, existing.get(key) ?? [], changes)
  }
  for (const [key, group] of existing) if (!wanted.has(key)) changes.drop.push(...group)

  if (changes.keep.length === 0 && changes.create.length === 0) {
    const placeholder = newSlice(service, type, [], [])
    const [only] = changes.drop
    if (changes.drop.length === 1 && only && isPlaceholder(only, placeholder, service)) changes.drop.pop()
    else changes.create.push(placeholder)
  }
  return changes
}

function isPlaceholder(slice: Stored<EndpointSlice>, placeholder: Draft, service: Stored<Service>): boolean {
  return (
    (slice.endpoints?.length ?? 0) === 0 &&
    (slice.ports?.length ?? 0) === 0 &&
    isOwnedBy(slice, service) &&
    equalJson(slice.metadata.labels, placeholder.metadata?.labels)
  )
}

type Group = { readonly ports: readonly EndpointPort[]; readonly endpoints: Map<string, Endpoint> }

/** What should be in the slices, by ports. */
function wantedEndpoints(
  { service, pods, nodeNamed }: EndpointSliceState,
  type: AddressType,
  withoutNode: Set<string>,
): ReadonlyMap<string, Group> {
  const groups = new Map<string, Group>()
  for (const pod of pods) {
    if (!belongsInEndpoints(pod, true)) continue
    const node = nodeNamed(pod.spec.nodeName ?? '')
    const ports = endpointPorts(service, pod)
    const key = portKey(ports)
    if (!groups.has(key)) groups.set(key, { ports, endpoints: new Map() })
    if (node === undefined && service.spec.publishNotReadyAddresses !== true) {
      withoutNode.add(`${pod.metadata.name} on ${pod.spec.nodeName ?? ''}`)
      continue
    }
    const endpoint = endpointOf(pod, node, service, type)
    if (endpoint.addresses.length > 0) groups.get(key)!.endpoints.set(endpointKey(endpoint), endpoint)
  }
  return groups
}

/** Fits the endpoints of one set of ports into its slices. Takes what it places out of `wanted`. */
function planGroup(
  { service, maxPerSlice }: EndpointSliceState,
  type: AddressType,
  ports: readonly EndpointPort[],
  wanted: Map<string, Endpoint>,
  slices: readonly Stored<EndpointSlice>[],
  changes: Changes,
): void {
  const changed: Kept[] = []
  const same: Kept[] = []
  for (const slice of slices) {
    const before = slice.endpoints ?? []
    const endpoints = before.flatMap((endpoint) => take(wanted, endpoint) ?? [])
    const isSame = endpoints.length === before.length && endpoints.every((endpoint, i) => endpoint === before[i])
    if (!isSame && endpoints.length === 0) changes.drop.push(slice)
    else if (isSame && hasLabelsOf(slice, service)) same.push({ before: slice, after: { ...slice, endpoints: before } })
    else changed.push({ before: slice, after: { ...relabelled(slice, service), endpoints } })
  }
  for (const kept of changed.toSorted((a, b) => b.after.endpoints.length - a.after.endpoints.length))
    kept.after = filled(kept.after, wanted, maxPerSlice)
  while (wanted.size > 0) {
    const roomy = wanted.size < maxPerSlice ? roomiest(same, wanted.size, maxPerSlice) : undefined
    if (roomy !== undefined)
      roomy.after = filled(
        { ...relabelled(roomy.before, service), endpoints: roomy.after.endpoints },
        wanted,
        maxPerSlice,
      )
    else changes.create.push(filled(newSlice(service, type, ports, []), wanted, maxPerSlice))
  }
  changes.keep.push(...changed, ...same)
}

/** The wanted state of an endpoint that a slice has; the same object where nothing changed, hints aside. */
function take(wanted: Map<string, Endpoint>, endpoint: Endpoint): Endpoint | undefined {
  const key = endpointKey(endpoint)
  const now = wanted.get(key)
  if (now === undefined) return undefined
  wanted.delete(key)
  if (sameState(endpoint, now)) return endpoint
  return endpoint.hints === undefined ? now : { ...now, hints: endpoint.hints }
}

function filled(slice: Draft, wanted: Map<string, Endpoint>, max: number): Draft {
  const endpoints = [...slice.endpoints]
  for (const [key, endpoint] of wanted) {
    if (endpoints.length >= max) break
    endpoints.push(endpoint)
    wanted.delete(key)
  }
  return { ...slice, endpoints }
}

/** The slice that is fullest once `count` more are in it. */
function roomiest(slices: readonly Kept[], count: number, max: number): Kept | undefined {
  const length = ({ after }: Kept) => after.endpoints.length
  return slices.filter((kept) => length(kept) + count <= max).toSorted((a, b) => length(b) - length(a))[0]
}

function relabelled(slice: Stored<EndpointSlice>, service: Stored<Service>): Stored<EndpointSlice> {
  return { ...slice, metadata: { ...slice.metadata, labels: sliceLabels(service) } }
}

/** Deletions that can be updates into what would be created become that; then creations, updates, deletions. */
function actsOf({ service, triggerTime }: EndpointSliceState, { create, keep, drop }: Changes): readonly Act[] {
  const preference = preferenceOf(service)
  const created = create.map((slice) => withHints(slice, preference))
  const updated: Draft[] = []
  for (const { before, after } of keep) {
    const hinted = withHints(after, preference)
    if (!equalJson(hinted.endpoints, before.endpoints) || !equalJson(hinted.metadata, before.metadata))
      updated.push(hinted)
  }
  const dropped = drop.filter((slice) => {
    const last = created.at(-1)
    if (last?.addressType !== slice.addressType || !isOwnedBy(slice, service)) return true
    const { generateName: _, ...metadata } = last.metadata ?? {}
    const { name, uid, resourceVersion } = slice.metadata
    updated.push({ ...last, metadata: { ...metadata, name, uid, resourceVersion } })
    created.pop()
    return false
  })
  const timed = (slice: Draft) => withTrigger(slice, triggerTime)
  const goes = service.metadata.deletionTimestamp !== undefined
  return [
    ...(goes ? [] : created).map((slice): Act => ({ kind: 'create', resource: endpointSlices, object: timed(slice) })),
    ...updated.map((slice): Act => ({ kind: 'update', resource: endpointSlices, object: timed(slice) })),
    ...dropped.map((slice): Act => ({ kind: 'delete', resource: endpointSlices, target: targetOf(slice) })),
  ]
}

function withTrigger(slice: Draft, time: string | undefined): Draft {
  const { [triggerTimeAnnotation]: _, ...others } = slice.metadata?.annotations ?? {}
  const annotations = time === undefined ? others : { ...others, [triggerTimeAnnotation]: time }
  return { ...slice, metadata: { ...slice.metadata, annotations } }
}
