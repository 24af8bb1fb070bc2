// A shape is how a front end treats its connections: how many endpoints there are to choose from, whether a client stays
// with one, what is masqueraded. Thousands of Services share a few shapes; each shape is one chain, and a front end's
// element names its shape by number.
import * as e from '#kernel/nftables/expression.ts'
import type { LocalDetector } from '#proxy/local-detector.ts'
import type { NftablesOptions } from '#proxy/nftables/options.ts'
import type { Parts } from '#proxy/nftables/registers.ts'
import type { Policy } from '#proxy/state.ts'

export type Shape = {
  /** `cluster-ip`: the endpoints stand under the packet's own address; `address`, `node-port`: under another */
  readonly front: 'cluster-ip' | 'address' | 'node-port'
  /** which endpoints, and how many; none: refused (`cluster`) or dropped (`local`) */
  readonly policy: Policy
  readonly endpoints: number
  /** a client's time with its endpoint; 0: none */
  readonly affinitySeconds: number
  readonly masquerade: 'all' | 'from-elsewhere' | 'never'
  /** pods and the node itself are sent on by another front (policy Local) */
  readonly shortcuts: boolean
  /** only some sources are let in */
  readonly ranges: boolean
}

/** Two shapes that have numbers of their own in every table. */
export const refuseShape = 0x7fffffff
export const dropShape = 0x7ffffffe

/** Local endpoints stand behind this index, so that one map holds both. */
export const localIndex = 1 << 16
/** Endpoints under a number that stays theirs, for affinity; the local ones once more. */
export const slotBit = 1 << 30
export const localSlotBit = 1 << 29

/**
 * Endpoints of Services with about as many of them share a map. The kernel checks each new element against every rule
 * that looks into its map, and each new chain against every element: with one map for all, both would be slow.
 */
export type Bucket = { readonly from: number; readonly to: number }

export function bucketOf(endpoints: number): Bucket {
  let from = 1
  for (;;) {
    const to = from + Math.max(4, Math.floor(from / 4)) - 1
    if (endpoints <= to) return { from, to }
    from = to + 1
  }
}
const bucketNames: string[] = []
const bucketName = (endpoints: number) => {
  const { from, to } = bucketOf(endpoints)
  return (bucketNames[endpoints] ??= `${from}-to-${to}`)
}

/** The sets that a shape with so many endpoints looks into. */
export const endpointsSet = (endpoints: number): string => `endpoints-${bucketName(endpoints)}`
export const slotsSet = (endpoints: number): string => `slots-${bucketName(endpoints)}`
export const frontsSet = (endpoints: number): string => `fronts-${bucketName(endpoints)}`

/** The chain of the shape. */
export function shapeName(shape: Shape): string {
  const words = [
    shape.front,
    ...(shape.policy === 'local' ? ['local'] : []),
    `${shape.endpoints}`,
    ...(shape.affinitySeconds === 0 ? [] : [`sticky-${shape.affinitySeconds}s`]),
    ...(shape.ranges ? ['ranges'] : []),
    ...(shape.shortcuts ? ['shortcuts'] : []),
    ...(shape.front !== 'cluster-ip' && shape.masquerade === 'all' ? ['masquerade'] : []),
  ]
  return words.join('-')
}

/**
 * The map that leads to the shape's chain. Where shortcuts lead has a map of its own: the kernel allows no chain to be
 * reached from a map that the chain itself looks into.
 */
export const shapeMap = ({ masquerade, shortcuts }: Shape): 'shapes' | 'shortcut-shapes' =>
  masquerade === 'never' && !shortcuts ? 'shortcut-shapes' : 'shapes'

/** One rule: what it does, and why it is there. */
export type RuleText = readonly [expressions: readonly e.Expression[], comment?: string]

/** The rules of a shape's chain. */
export function shapeRules(shape: Shape, parts: Parts, options: NftablesOptions): RuleText[] {
  return [
    ...(shape.ranges ? [rangesRule(parts)] : []),
    ...(shape.shortcuts ? shortcutRules(shape, parts, options) : []),
    ...masqueradeRules(shape, parts, options),
    ...(shape.endpoints === 0
      ? [[[e.verdict({ kind: 'drop' })], 'no endpoint on this node'] as const]
      : [...(shape.affinitySeconds === 0 ? [] : affinityRules(shape, parts)), ...chooseRules(shape, parts)]),
  ]
}

/** The packet's own tuple; for a NodePort with any address. */
const ownTuple = (shape: Shape, { tuple, anyTuple }: Parts) => (shape.front === 'node-port' ? anyTuple : tuple)

/**
 * The tuple under which the endpoints stand. The data of `fronts` begins with a word that nobody reads: it lands one
 * register early, so that nft, which cannot print a map's result that is used as a key, believes what was there before.
 */
function endpointTuple(shape: Shape, parts: Parts): readonly e.Expression[] {
  if (shape.front === 'cluster-ip') return parts.tuple
  const { destination } = parts.registers
  return [...ownTuple(shape, parts), e.lookup(frontsSet(shape.endpoints), destination, { to: destination - 1 })]
}

function rangesRule({ tuple, loadSource, registers }: Parts): RuleText {
  const { destination, index } = registers
  const isOutside = e.lookup('ranges', destination, { inverted: true })
  return [[...tuple, loadSource(index), isOutside, e.verdict({ kind: 'drop' })], 'source ranges']
}

function shortcutRules(shape: Shape, parts: Parts, options: NftablesOptions): RuleText[] {
  const { destination, port, index, endpointIp, source } = parts.registers
  const toShape = [
    ...ownTuple(shape, parts),
    e.load(index, e.hostNumber(0)),
    e.lookup('shortcuts', destination, { to: port }),
  ]
  const go = e.lookup('shortcut-shapes', index, { toVerdict: true })
  const fromNode = [e.addressType(endpointIp, 'source'), e.compare(endpointIp, true, e.localAddressType)]
  return [
    ...(options.local.kind === 'none'
      ? []
      : [[[...fromPod(true, parts, options.local), ...toShape, go], 'pods: any endpoint'] as const]),
    [[...fromNode, ...toShape, ...markForMasquerade(source, options), go], 'the node itself: any endpoint'],
  ]
}

function masqueradeRules(shape: Shape, parts: Parts, options: NftablesOptions): RuleText[] {
  const mark = markForMasquerade(parts.registers.endpointIp, options)
  if (shape.masquerade === 'all') return [[mark]]
  if (shape.masquerade === 'never' || options.local.kind === 'none') return []
  return [[[...fromPod(false, parts, options.local), ...mark], 'not from a pod']]
}

/** mark |= the masquerade bit */
export function markForMasquerade(register: number, { masqueradeMark }: NftablesOptions): e.Expression[] {
  const bit = e.hostNumber(masqueradeMark)
  return [e.meta(register, 'mark'), e.bitwise(register, e.hostNumber(~masqueradeMark), bit), e.setMark(register)]
}

/** Goes on where the packet is from a pod of this node, or where it is not. */
function fromPod(is: boolean, { loadSource, registers }: Parts, detector: LocalDetector): e.Expression[] {
  const { source } = registers
  if (detector.kind === 'cidr') return [loadSource(source), e.lookup('pods', source, { inverted: !is })]
  if (detector.kind === 'none') return []
  const name = new TextEncoder().encode(detector.kind === 'bridge' ? detector.interface : detector.prefix)
  // A whole name is compared with its zeros behind, the beginning of one without.
  const wanted = detector.kind === 'bridge' ? Uint8Array.from({ length: 16 }, (_, i) => name[i] ?? 0) : name
  return [e.meta(source, 'inInterfaceName'), e.compare(source, is, wanted)]
}

const offsetOf = ({ policy }: Shape) => (policy === 'local' ? localIndex : 0)

/**
 * A packet may see the count before a change and the endpoints after it; then it finds nothing, and takes the first
 * endpoint instead of getting lost. Where the first is gone too it ends here, and its retransmission finds what is true by
 * then: once it had passed, the kernel would never again ask these rules about its connection.
 */
function chooseRules(shape: Shape, parts: Parts): RuleText[] {
  const { registers, family } = parts
  const { destination, index, endpointIp, endpointPort } = registers
  const offset = offsetOf(shape)
  const go = [
    e.lookup(endpointsSet(shape.endpoints), destination, { to: endpointIp }),
    e.destinationNat(family, endpointIp, endpointPort),
  ]
  const tuple = endpointTuple(shape, parts)
  return [
    [[...tuple, e.randomNumber(index, shape.endpoints, offset), ...go]],
    [[...tuple, e.load(index, e.hostNumber(offset)), ...go]],
    [[e.verdict({ kind: 'drop' })], 'changed meanwhile'],
  ]
}

/**
 * The first rule follows what is remembered, and fails where that endpoint is gone: so the dead need not be searched for
 * in the memory. The second one chooses anew and remembers; it looks up what it has written, so that connections that
 * come at the same time all get the same endpoint. When the memory is full, both fail.
 */
function affinityRules(shape: Shape, parts: Parts): RuleText[] {
  const { registers, family, loadSource } = parts
  const { source, destination, port, index, endpointIp, endpointPort } = registers
  const key = [...endpointTuple(shape, parts), loadSource(source)]
  const local = e.bitwise(index, e.hostNumber(~localSlotBit), e.hostNumber(localSlotBit))
  const timeoutMs = shape.affinitySeconds * 1000
  const found = [
    e.lookup('affinity', source, { to: port }),
    ...key,
    ...(shape.policy === 'local' ? [local] : []),
    e.lookup(endpointsSet(shape.endpoints), destination, { to: endpointIp }),
  ]
  const go = e.destinationNat(family, endpointIp, endpointPort)
  const renew = e.changeSet('affinity', 'update', source, { data: port, timeoutMs })
  return [
    [[...key, e.load(index, e.hostNumber(0)), ...found, renew, go], 'the same endpoint as before'],
    [
      [
        ...endpointTuple(shape, parts),
        e.randomNumber(index, shape.endpoints, offsetOf(shape)),
        e.lookup(slotsSet(shape.endpoints), destination, { to: port }),
        ...key,
        e.changeSet('affinity', 'delete', source, { data: port }),
        e.changeSet('affinity', 'add', source, { data: port, timeoutMs }),
        ...found,
        go,
      ],
      'a new one, to be remembered',
    ],
  ]
}
