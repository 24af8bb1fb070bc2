// Rules of nftables out of the kernel's bytes (linux/netfilter/nf_tables.h).
import type { NftComparison, NftInstruction, NftPayload, NftRule, NftVerdict } from '#kernel/nftables/ruleset.ts'
import { nftFamilies } from '#kernel/nftables/ruleset.ts'
import { RULE } from '#kernel/nftables/batch.ts'
import type { Expression } from '#kernel/nftables/expression.ts'
import { type Attributes, decodeAttributes, eachAttribute, readText } from '#kernel/netlink/message.ts'
import { readU16be, readU32be, readU64be } from '#kernel/netlink/message.ts'
import { MessageWriter } from '#kernel/netlink/message-writer.ts'

const nothing = new Uint8Array()

/** `attributes` are those of one rule in a dump. */
export function decodeRule(attributes: Attributes): NftRule {
  const code: NftInstruction[] = []
  const list = attributes.get(RULE.expressions)
  if (list !== undefined) eachAttribute(list, 0, (_, payload) => code.push(decodeExpression(payload)))
  const handle = attributes.get(RULE.handle)
  return {
    handle: handle ? Number(readU64be(handle)) : 0,
    comment: userdataText(attributes.get(RULE.userdata), 0),
    code,
  }
}

/** What the kernel says of a rule that was written so. */
export function instructionsOf(expressions: readonly Expression[]): readonly NftInstruction[] {
  const writer = new MessageWriter()
  writer.nest(RULE.expressions, () => {
    for (const write of expressions) write(writer)
  })
  return decodeRule(decodeAttributes(writer.bytes)).code
}

/** Texts that nft keeps with things are one-byte type, one-byte length, text with its NUL; '' where there is none. */
export function userdataText(bytes: Uint8Array | undefined = nothing, type = 0): string {
  for (let at = 0; at + 2 <= bytes.length; at += 2 + bytes[at + 1]!)
    if (bytes[at] === type) return readText(bytes.subarray(at + 2, at + 2 + bytes[at + 1]!))
  return ''
}

const verdicts: Readonly<Record<number, NftVerdict['kind']>> = {
  1: 'accept',
  0: 'drop',
  3: 'queue',
  [-1]: 'continue',
  [-2]: 'break',
  [-3]: 'jump',
  [-4]: 'goto',
  [-5]: 'return',
}

/** `bytes`: the attributes of a piece of data that is a verdict. */
export function decodeVerdict(bytes: Uint8Array): NftVerdict {
  const attributes = decodeAttributes(bytes)
  const code = attributes.get(1)
  const kind = verdicts[code ? readU32be(code) | 0 : 0] ?? 'drop'
  if (kind !== 'jump' && kind !== 'goto') return { kind }
  const chain = attributes.get(2)
  return { kind, chain: chain ? readText(chain) : '' }
}

function decodeExpression(bytes: Uint8Array): NftInstruction {
  const attributes = decodeAttributes(bytes)
  const [name, data] = [attributes.get(1), attributes.get(2) ?? nothing]
  const text = name ? readText(name) : ''
  const decode = decoders[text]
  return decode?.(new Fields(decodeAttributes(data))) ?? { kind: 'other', name: text, data }
}

/** The attributes of one expression, by their numbers. */
class Fields {
  readonly #attributes: Attributes
  constructor(attributes: Attributes) {
    this.#attributes = attributes
  }
  bytes(type: number): Uint8Array | undefined {
    return this.#attributes.get(type)
  }
  has(type: number): boolean {
    return this.#attributes.has(type)
  }
  number(type: number): number {
    const bytes = this.bytes(type)
    if (bytes === undefined) return 0
    return bytes.length === 8 ? Number(readU64be(bytes)) : bytes.length === 2 ? readU16be(bytes) : readU32be(bytes)
  }
  text(type: number): string {
    const bytes = this.bytes(type)
    return bytes ? readText(bytes) : ''
  }
  /** 1 to 4 are the registers of 16 bytes, from 8 on those of 4: both by words. */
  register(type: number): number {
    const number = this.number(type)
    return number >= 8 ? number - 8 : (number - 1) * 4
  }
  registerIf<K extends string>(name: K, type: number): { readonly [N in K]?: number } {
    return this.has(type) ? ({ [name]: this.register(type) } as { [N in K]: number }) : {}
  }
  value(type: number): Uint8Array {
    return decodeAttributes(this.bytes(type)).get(1) ?? nothing
  }
}

const comparisons: readonly NftComparison[] = ['==', '!=', '<', '<=', '>', '>=']
const bases: readonly NftPayload['base'][] = ['link', 'network', 'transport', 'inner']
const payloadOf = (fields: Fields): NftPayload => ({
  base: bases[fields.number(2)] ?? 'inner',
  offset: fields.number(3),
  length: fields.number(4),
})

const metaKeys = (
  'length protocol priority mark iif oif iifname oifname iiftype oiftype skuid skgid nftrace rtclassid secmark nfproto ' +
  'l4proto ibrname obrname pkttype cpu iifgroup oifgroup cgroup random secpath iifkind oifkind ibrpvid ibrvproto time ' +
  'day hour sdif sdifname broute'
).split(' ')
const ctKeys = (
  'state direction status mark secmark expiration helper l3protocol saddr daddr protocol proto-src proto-dst label ' +
  'packets bytes avgpkt zone event saddr-ip daddr-ip saddr-ip6 daddr-ip6 id'
).split(' ')
const directionOf = (fields: Fields) => {
  const bytes = fields.bytes(3)
  return bytes === undefined ? {} : { direction: bytes[0] === 0 ? ('original' as const) : ('reply' as const) }
}
const fibResults = ['', 'oif', 'oifname', 'type'] as const
const fibFlags = ['saddr', 'daddr', 'mark', 'iif', 'oif'] as const
const portsOf = (fields: Fields, first: number) => ({
  ...fields.registerIf('port', first),
  ...fields.registerIf('portEnd', first + 1),
})

const decoders: Readonly<Record<string, (fields: Fields) => NftInstruction | undefined>> = {
  immediate(fields) {
    const verdict = decodeAttributes(fields.bytes(2)).get(2)
    if (fields.number(1) === 0 && verdict) return { kind: 'verdict', verdict: decodeVerdict(verdict) }
    return { kind: 'immediate', to: fields.register(1), value: fields.value(2) }
  },
  payload: (fields) =>
    fields.has(1)
      ? { kind: 'payload', to: fields.register(1), at: payloadOf(fields) }
      : { kind: 'payload-set', from: fields.register(5), at: payloadOf(fields) },
  meta(fields) {
    const key = metaKeys[fields.number(2)] ?? `${fields.number(2)}`
    return fields.has(1)
      ? { kind: 'meta', to: fields.register(1), key }
      : { kind: 'meta-set', from: fields.register(3), key }
  },
  ct(fields) {
    const key = ctKeys[fields.number(2)] ?? `${fields.number(2)}`
    return fields.has(1)
      ? { kind: 'ct', to: fields.register(1), key, ...directionOf(fields) }
      : { kind: 'ct-set', from: fields.register(4), key }
  },
  cmp: (fields) => ({
    kind: 'compare',
    register: fields.register(1),
    is: comparisons[fields.number(2)] ?? '==',
    value: fields.value(3),
  }),
  range: (fields) => ({
    kind: 'range',
    register: fields.register(1),
    inside: fields.number(2) === 0,
    first: fields.value(3),
    last: fields.value(4),
  }),
  bitwise(fields) {
    const common = { from: fields.register(1), to: fields.register(2) }
    const op = fields.number(6)
    if (op === 0) return { kind: 'bitwise', ...common, mask: fields.value(4), xor: fields.value(5) }
    const bits = new DataView(Uint8Array.from(fields.value(7)).buffer).getUint32(0, true)
    return op <= 2 ? { kind: 'shift', ...common, length: fields.number(3), left: op === 1, bits } : undefined
  },
  byteorder: (fields) => ({
    kind: 'byteorder',
    from: fields.register(1),
    to: fields.register(2),
    length: fields.number(4),
    size: fields.number(5),
  }),
  lookup: (fields) => ({
    kind: 'lookup',
    set: fields.text(1),
    key: fields.register(2),
    ...(fields.has(3) && { to: fields.number(3) === 0 ? 'verdict' : fields.register(3) }),
    inverted: (fields.number(5) & 1) !== 0,
  }),
  dynset: (fields) => ({
    kind: 'change-set',
    set: fields.text(1),
    act: (['add', 'update', 'delete'] as const)[fields.number(3)] ?? 'add',
    key: fields.register(4),
    ...fields.registerIf('data', 5),
    ...(fields.has(6) && { timeoutMs: fields.number(6) }),
    inverted: (fields.number(9) & 1) !== 0,
  }),
  numgen: (fields) => ({
    kind: 'number',
    to: fields.register(1),
    below: fields.number(2),
    random: fields.number(3) === 1,
    offset: fields.number(4),
  }),
  hash: (fields) => ({
    kind: 'hash',
    to: fields.register(2),
    ...(fields.number(7) === 0 && { of: { from: fields.register(1), length: fields.number(3) } }),
    below: fields.number(4),
    seed: fields.number(5),
    offset: fields.number(6),
  }),
  fib(fields) {
    const result = fibResults[fields.number(2)]
    const flags = fields.number(3)
    if (!result) return undefined
    const by = fibFlags.filter((_, bit) => (flags & (1 << bit)) !== 0)
    return { kind: 'fib', to: fields.register(1), result, by, isPresent: (flags & 32) !== 0 }
  },
  nat: (fields) => ({
    kind: 'nat',
    type: fields.number(1) === 1 ? 'dnat' : 'snat',
    family: nftFamilies.get(fields.number(2)) ?? 'inet',
    ...fields.registerIf('address', 3),
    ...fields.registerIf('addressEnd', 4),
    ...portsOf(fields, 5),
    flags: fields.number(7),
  }),
  masq: (fields) => ({ kind: 'masquerade', ...portsOf(fields, 2), flags: fields.number(1) }),
  redir: (fields) => ({ kind: 'redirect', ...portsOf(fields, 1), flags: fields.number(3) }),
  reject: (fields) => ({
    kind: 'reject',
    with: (['icmp', 'tcp reset', 'icmpx'] as const)[fields.number(1)] ?? 'icmp',
    code: fields.bytes(2)?.[0] ?? 0,
  }),
  counter: (fields) => ({ kind: 'counter', bytes: fields.number(1), packets: fields.number(2) }),
  limit: (fields) => ({
    kind: 'limit',
    rate: fields.number(1),
    seconds: fields.number(2),
    burst: fields.number(3),
    of: fields.number(4) === 0 ? 'packets' : 'bytes',
    over: (fields.number(5) & 1) !== 0,
  }),
  log: (fields) => ({ kind: 'log', prefix: fields.text(2) }),
  match: (fields) => ({
    kind: 'match',
    name: fields.text(1),
    revision: fields.number(2),
    info: fields.bytes(3) ?? nothing,
  }),
  target: (fields) => ({
    kind: 'target',
    name: fields.text(1),
    revision: fields.number(2),
    info: fields.bytes(3) ?? nothing,
  }),
}
