// What one port of a Service adds to the sets of the table.
import { commentBytes } from '#kernel/nftables/batch.ts'
import { fnv32a } from '#lib/hash.ts'
import type { Arrangement } from '#proxy/nftables/arrange.ts'
import { addressBytes, concat, type Element, endpointData, indexed, padded } from '#proxy/nftables/element.ts'
import { paddedTuple, rangeBounds, tupleOf } from '#proxy/nftables/element.ts'
import type { NftablesOptions } from '#proxy/nftables/options.ts'
import type { Ip } from '#lib/ip.ts'
import { dropShape, endpointsSet, frontsSet, localIndex, localSlotBit, refuseShape } from '#proxy/nftables/shape.ts'
import { type Shape, slotBit, slotsSet } from '#proxy/nftables/shape.ts'
import type { Endpoint } from '#proxy/plan/endpoints.ts'
import { type Front, type PortPlan, reachable, type Way } from '#proxy/plan/plan.ts'
import type { Family } from '#proxy/state.ts'

export type PortElements = {
  readonly elements: readonly Element[]
  readonly shared: readonly Shared[]
}

/** An address in a set that several ports may want: it is there while any does. */
export type Shared = { readonly set: 'cluster-ips' | 'hairpin'; readonly ip: Ip }

export function sharedElement({ set, ip }: Shared, family: Family): Element {
  const bytes = addressBytes(ip, family)
  return { set, key: set === 'hairpin' ? concat(bytes, bytes) : bytes }
}

/** What a port needs of the table besides its own elements. */
export type Table = {
  readonly options: NftablesOptions
  /** the number of a shape, whose chain is there by the time that the element is */
  shapeNumber(shape: Shape): number
  /** Whether this port has the front end; false where another Service was first. */
  owns(tuple: Uint8Array): boolean
}

/** The front ends of a port, each under its key in `services`; the first is the cluster IP. */
export function portTuples({ clusterIp, protocol, port, fronts }: PortPlan, family: Family): Uint8Array[] {
  const others = fronts.map((front) =>
    front.kind === 'node-port'
      ? tupleOf(undefined, protocol, front.port, family)
      : tupleOf(front.address, protocol, port, family),
  )
  return [tupleOf(clusterIp, protocol, port, family), ...others]
}

/** The shapes that the port's elements name. */
export function portShapes(plan: PortPlan, arrangement: Arrangement, options: NftablesOptions): Shape[] {
  const fronts = plan.fronts.flatMap((front) => [
    frontShape(plan, front, arrangement),
    shortcutShape(plan, front, arrangement),
  ])
  return [internalShape(plan, arrangement, options), ...fronts].filter((shape) => shape !== undefined)
}

export function portElements(plan: PortPlan, arrangement: Arrangement, table: Table): PortElements {
  if (!ownsItself(plan, table)) return { elements: [], shared: [] }
  return {
    elements: [
      ...frontElements(plan, arrangement, table),
      ...endpointElements(plan, arrangement, table.options.family),
    ],
    shared: sharedBy(plan),
  }
}

/** Without its cluster IP, which another Service had first, a port has nothing. */
export const ownsItself = ({ clusterIp, protocol, port }: PortPlan, { owns, options: { family } }: Table): boolean =>
  owns(tupleOf(clusterIp, protocol, port, family))

export function frontElements(plan: PortPlan, arrangement: Arrangement, table: Table): Element[] {
  const [tuple, ...fronts] = portTuples(plan, table.options.family) as [Uint8Array, ...Uint8Array[]]
  const comment = commentBytes(plan.name)
  const numberOf = (shape: Shape | undefined, { verdict }: Way) =>
    shape === undefined ? (verdict === 'drop' ? dropShape : refuseShape) : table.shapeNumber(shape)
  const shape = numberOf(internalShape(plan, arrangement, table.options), plan.internal)
  const elements: Element[] = [{ set: 'services', key: tuple, data: padded(shape), comment }]
  for (const [i, front] of plan.fronts.entries()) {
    const key = fronts[i]!
    if (!table.owns(key)) continue
    const shape = frontShape(plan, front, arrangement)
    elements.push({ set: 'services', key, data: padded(numberOf(shape, plan.external)), comment })
    if (shape === undefined) continue
    const shortcut = shortcutShape(plan, front, arrangement)
    if (shortcut !== undefined)
      elements.push({ set: 'shortcuts', key, data: padded(table.shapeNumber(shortcut)), comment })
    const counts = [shape.endpoints, shortcut?.endpoints ?? 0].filter((count) => count > 0)
    for (const set of new Set(counts.map(frontsSet))) elements.push({ set, key, data: paddedTuple(tuple), comment })
    if (shape.ranges) elements.push(...rangeElements(plan, key, comment))
  }
  return elements
}

export function sharedBy(plan: PortPlan): Shared[] {
  const shared: Shared[] = [{ set: 'cluster-ips', ip: plan.clusterIp }]
  for (const { remote, ip } of reachable(plan)) if (!remote) shared.push({ set: 'hairpin', ip })
  return shared
}

/** Undefined where no connection gets through. */
function internalShape(plan: PortPlan, arrangement: Arrangement, options: NftablesOptions): Shape | undefined {
  const { policy, verdict } = plan.internal
  if (verdict !== 'balance') return undefined
  return {
    front: 'cluster-ip',
    policy,
    endpoints: arrangement[policy].length,
    affinitySeconds: plan.affinitySeconds,
    masquerade: options.masqueradeAll ? 'all' : 'from-elsewhere',
    shortcuts: false,
    ranges: false,
  }
}

/** With policy Local and no endpoint on this node there is a shape still, for its shortcuts. */
function frontShape(plan: PortPlan, front: Front, arrangement: Arrangement): Shape | undefined {
  const { policy, verdict } = plan.external
  if (verdict === 'reject') return undefined
  return {
    front: front.kind === 'node-port' ? 'node-port' : 'address',
    policy,
    endpoints: arrangement[policy].length,
    affinitySeconds: plan.affinitySeconds,
    masquerade: policy === 'cluster' ? 'all' : 'never',
    shortcuts: policy === 'local',
    ranges: front.kind === 'load-balancer' && plan.sources !== undefined,
  }
}

/** How pods and the node itself are served by a front of policy Local. */
function shortcutShape(plan: PortPlan, front: Front, arrangement: Arrangement): Shape | undefined {
  const { policy, verdict } = plan.external
  if (verdict === 'reject' || policy === 'cluster') return undefined
  return {
    front: front.kind === 'node-port' ? 'node-port' : 'address',
    policy: 'cluster',
    endpoints: arrangement.cluster.length,
    affinitySeconds: plan.affinitySeconds,
    masquerade: 'never',
    shortcuts: false,
    ranges: false,
  }
}

function rangeElements({ sources, fronts }: PortPlan, key: Uint8Array, comment: Uint8Array): Element[] {
  const balancers = fronts.flatMap((front) => (front.kind === 'load-balancer' ? front.address : []))
  const hosts = balancers.map((ip) => `${ip}/${ip.includes(':') ? 128 : 32}`)
  const from = [...(sources?.ranges ?? []), ...(sources?.includeNode ? hosts : [])]
  return rangeBounds(from).map(({ first, last }) => ({
    set: 'ranges',
    key: concat(key, first),
    end: concat(key, last),
    comment,
  }))
}

export function endpointElements(plan: PortPlan, { cluster, local }: Arrangement, family: Family): Element[] {
  const tuple = tupleOf(plan.clusterIp, plan.protocol, plan.port, family)
  const comment = commentBytes(plan.name)
  const elements: Element[] = []
  const slots = plan.affinitySeconds === 0 ? undefined : slotsOf(plan)
  for (const { endpoints, offset, slotBits } of [
    { endpoints: cluster, offset: 0, slotBits: 0 },
    { endpoints: local, offset: localIndex, slotBits: localSlotBit },
  ]) {
    const set = endpointsSet(endpoints.length)
    const at = (index: number, { ip, port }: Endpoint) =>
      elements.push({ set, key: indexed(tuple, index), data: endpointData(ip, port, family), comment })
    for (const [index, endpoint] of endpoints.entries()) at(index + offset, endpoint)
    if (slots === undefined) continue
    for (const [index, { address }] of endpoints.entries()) {
      const data = padded(slots.get(address)!)
      elements.push({ set: slotsSet(endpoints.length), key: indexed(tuple, index + offset), data, comment })
    }
    for (const endpoint of endpoints) at(slots.get(endpoint.address)! | slotBits, endpoint)
  }
  return elements
}

/**
 * A number that stays an endpoint's own, also over a restart: from its address. Where two have the same, the second in
 * order takes the next.
 */
function slotsOf(plan: PortPlan): ReadonlyMap<string, number> {
  const slots = new Map<string, number>()
  const taken = new Set<number>()
  for (const { address } of reachable(plan).toSorted((a, b) => (a.address < b.address ? -1 : 1))) {
    let slot = fnv32a(address) & (localSlotBit - 1)
    while (taken.has(slot)) slot = (slot + 1) & (localSlotBit - 1)
    taken.add(slot)
    slots.set(address, slot | slotBit)
  }
  return slots
}
