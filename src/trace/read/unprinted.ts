// What one map says and another is asked by: `nft` has no words for that. It prints `0x0 [invalid type]`, or what stood in the
// same register before. In the table of Fairway's own proxy the names of maps and chains tell what is asked: such rules are
// put together again, and say so.

import type { NftFamily, NftInstruction, NftTable } from '#kernel/nftables/ruleset.ts'

/** What is said behind a rule that was put together again. */
export const inferredMark = '  (nft does not print all of it: taken from the names of its maps)'

export const isProxyTable = ({ name, sets }: NftTable): boolean =>
  name === 'fairway-proxy' && sets.some((set) => set.name === 'services') && sets.some((set) => set.name === 'shapes')

/** The whole code of a rule; undefined where it is printed in full. */
export function inferCode(
  text: string,
  chain: string,
  family: NftFamily,
  code: readonly NftInstruction[],
): readonly NftInstruction[] | undefined {
  const words = family === 'ip6' ? 4 : 1
  const dispatched = /0x0 \[invalid type\] vmap @(shapes|shortcut-shapes)/.exec(text)
  if (dispatched !== null) {
    const printed = code.slice(
      0,
      code.findIndex(({ kind }) => kind === 'other'),
    )
    const isAny = text.startsWith('fib daddr') || chain.startsWith('node-port')
    const map = dispatched[1] === 'shapes' ? 'services' : 'shortcuts'
    const verdict: NftInstruction = { ...lookup(dispatched[1]!, chosen + 1, 0), to: 'verdict' }
    return [...printed, ...loadFront({ words, isAny }, 0), lookup(map, 0, chosen), verdict]
  }
  const led = /dnat ip6? to .+ \. meta l4proto \. th dport \. (.+) map @(endpoints-(\S+))/.exec(text)
  const isWhole = chain.startsWith('cluster-ip') && !/\[invalid type\]|@affinity/.test(text)
  return led === null || isWhole
    ? undefined
    : leadCode(text, chain, { words, isAny: chain.startsWith('node-port') }, led)
}

/** Of rules that choose an endpoint. */
function leadCode(
  text: string,
  chain: string,
  shape: Shape,
  [, printedIndex = '', endpoints = '', size = '']: RegExpExecArray,
): readonly NftInstruction[] | undefined {
  // Any front end but a cluster IP says which one it stands for, in the words before the index.
  const isClusterIp = chain.startsWith('cluster-ip')
  const key = isClusterIp ? shape.words : shape.words + 3
  const front = isClusterIp ? loadFront(shape, key) : [...loadFront(shape, 0), lookup(`fronts-${size}`, 0, key - 1)]
  const index = indexCode(text, printedIndex, size, { ...shape, key, index: key + shape.words + 2 })
  return index && [...front, ...index, lookup(endpoints, key, chosen), leadTo(shape)]
}

type Shape = {
  /** of 4 bytes, that an address takes */
  readonly words: number
  /** asked by address 0, where NodePorts stand */
  readonly isAny: boolean
}

/** Where maps put what they say: behind every key. */
const chosen = 14

const lookup = (set: string, key: number, to: number) =>
  ({ kind: 'lookup', set, key, to, inverted: false }) satisfies NftInstruction

const address = ({ words }: Shape, side: 'source' | 'destination', to: number): NftInstruction => {
  const [first, last] = words === 1 ? [12, 16] : [8, 24]
  const offset = side === 'source' ? first : last
  return { kind: 'payload', to, at: { base: 'network', offset, length: 4 * words } }
}

/** Address, protocol and port. */
const loadFront = (shape: Shape, to: number): readonly NftInstruction[] => [
  shape.isAny ? { kind: 'immediate', to, value: new Uint8Array(4 * shape.words) } : address(shape, 'destination', to),
  { kind: 'meta', to: to + shape.words, key: 'l4proto' },
  { kind: 'payload', to: to + shape.words + 1, at: { base: 'transport', offset: 2, length: 2 } },
]

type Place = Shape & { readonly key: number; readonly index: number }

/** Which of the endpoints: one at random, a fixed one, or that which affinity remembers. */
function indexCode(text: string, index: string, size: string, place: Place): readonly NftInstruction[] | undefined {
  const { words, key, index: to } = place
  const random = /numgen random mod (\d+)(?: offset (\d+))?/.exec(text)
  const number: NftInstruction | undefined =
    random === null
      ? undefined
      : {
          kind: 'number',
          to,
          below: Number(random[1]),
          offset: Number(random[2] ?? 0),
          random: true,
        }
  // In JSON these statements are quoted.
  const act = /^"?(update|delete) @affinity/.exec(text)?.[1]
  if (act === 'update')
    // What it remembers has the port before the slot, which stands there already.
    return [address(place, 'source', key - words), lookup('affinity', key - words, to - 1)]
  if (act === 'delete') {
    if (number === undefined) return undefined
    const none = new Uint8Array(4)
    const all = Uint8Array.of(255, 255, 255, 255)
    return [
      number,
      lookup(`slots-${size}`, key, chosen),
      { kind: 'bitwise', from: chosen + 1, to, mask: all, xor: none },
    ]
  }
  if (number !== undefined) return [number]
  const [, digits] = /^0x([0-9a-f]+) \[invalid type\]$/.exec(index) ?? []
  if (digits === undefined) return undefined
  // Printed as if its bytes stood in the order of the network.
  const bytes = digits
    .padStart(8, '0')
    .match(/../g)!
    .map((byte) => Number.parseInt(byte, 16))
  return [{ kind: 'immediate', to, value: Uint8Array.from(bytes) }]
}

const leadTo = ({ words }: Shape): NftInstruction => ({
  kind: 'nat',
  type: 'dnat',
  family: words === 1 ? 'ip' : 'ip6',
  address: chosen,
  addressEnd: chosen,
  port: chosen + words,
  portEnd: chosen + words,
  flags: 3,
})
