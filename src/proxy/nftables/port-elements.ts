// What one port of a Service adds to the sets of the table.
import { commentBytes } from '#kernel/nftables/batch.ts'
import { fnv32a } from '#lib/hash.ts'
import type { Arrangement } from '#proxy/nftables/arrange.ts'
import { addressBytes, concat, type Element, emptyEndpoint, indexed, padded } from '#proxy/nftables/element.ts'
import { paddedTuple, putEndpoint, putIndex, rangeBounds, tupleOf } from '#proxy/nftables/element.ts'
import type { NftablesOptions } from '#proxy/nftables/options.ts'
import type { Ip } from '#lib/ip.ts'
import { dropShape, endpointsSet, frontsSet, localIndex, localSlotBit, refuseShape } from '#proxy/nftables/shape.ts'
import { type Shape, slotBit, slotsSet } from '#proxy/nftables/shape.ts'
import type { Endpoint } from '#proxy/plan/endpoints.ts'
import { type Front, type PortPlan, reachable, type Way } from '#proxy/plan/plan.ts'
import type { Family, Protocol } from '#proxy/state.ts'

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
  /** Whether this port has the front end of this name; false where another Service was first. */
  owns(front: string): boolean
}

/** The front ends of a port by name, the cluster IP first: who has the address and port is known under it. */
export const frontNames = ({ clusterIp, protocol, port, fronts }: PortPlan): string[] => [
  frontName(clusterIp, protocol, port),
  ...fronts.map((front) =>
    front.kind === 'node-port' ? frontName('', protocol, front.port) : frontName(front.address, protocol, port),
  ),
]
const frontName = (ip: Ip | '', protocol: Protocol, port: number) => `${ip} ${protocol} ${port}`

/** The keys of front ends in `services`. */
const frontTuple = (front: Front, { protocol, port }: PortPlan, family: Family): Uint8Array =>
  front.kind === 'node-port'
    ? tupleOf(undefined, protocol, front.port, family)
    : tupleOf(front.address, protocol, port, family)

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
export const ownsItself = ({ clusterIp, protocol, port }: PortPlan, { owns }: Table): boolean =>
  owns(frontName(clusterIp, protocol, port))

export function frontElements(plan: PortPlan, arrangement: Arrangement, table: Table): Element[] {
  const { family } = table.options
  const tuple = tupleOf(plan.clusterIp, plan.protocol, plan.port, family)
  const comment = commentBytes(plan.name)
  const numberOf = (shape: Shape | undefined, { verdict }: Way) =>
    shape === undefined ? (verdict === 'drop' ? dropShape : refuseShape) : table.shapeNumber(shape)
  const shape = numberOf(internalShape(plan, arrangement, table.options), plan.internal)
  const elements: Element[] = [{ set: 'services', key: tuple, data: padded(shape), comment }]
  const names = frontNames(plan)
  for (const [i, front] of plan.fronts.entries()) {
    if (!table.owns(names[i + 1]!)) continue
    const key = frontTuple(front, plan, family)
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

/** Takes an element; its bytes are others' as soon as it has returned. */
export type ElementSink = (set: string, key: Uint8Array, data: Uint8Array, comment: Uint8Array) => void

/** Tens of thousands at a start: they are written without an object for each. */
export function putEndpoints(plan: PortPlan, { cluster, local }: Arrangement, family: Family, put: ElementSink): void {
  const key = indexed(tupleOf(plan.clusterIp, plan.protocol, plan.port, family), 0)
  const data = emptyEndpoint(family)
  const comment = commentBytes(plan.name)
  const slots = plan.affinitySeconds === 0 ? undefined : slotsOf(plan)
  for (const { endpoints, offset, slotBits } of [
    { endpoints: cluster, offset: 0, slotBits: 0 },
    { endpoints: local, offset: localIndex, slotBits: localSlotBit },
  ]) {
    const set = endpointsSet(endpoints.length)
    const at = (index: number, { ip, port }: Endpoint) => {
      putIndex(key, index)
      putEndpoint(data, ip, port, family)
      put(set, key, data, comment)
    }
    for (let index = 0; index < endpoints.length; index++) at(index + offset, endpoints[index]!)
    if (slots === undefined) continue
    for (const [index, { address }] of endpoints.entries()) {
      putIndex(key, index + offset)
      put(slotsSet(endpoints.length), key, padded(slots.get(address)!), comment)
    }
    for (const endpoint of endpoints) at(slots.get(endpoint.address)! | slotBits, endpoint)
  }
}

function endpointElements(plan: PortPlan, arrangement: Arrangement, family: Family): Element[] {
  const elements: Element[] = []
  putEndpoints(plan, arrangement, family, (set, key, data, comment) =>
    elements.push({ set, key: key.slice(), data: data.slice(), comment }),
  )
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
