// Writes the instructions of one rule: loads expressions into registers, makes the sets that a rule has for itself, and
// checks the protocols that a header belongs to, as nft does without printing it.

import type { Expression } from '#kernel/nft/ast.ts'
import { buildSet, constantOf, endsOf } from '#kernel/nft/compile-set.ts'
import { connectionType, fieldOf, metaTypes, transportNumbers, typeOfExpression } from '#kernel/nft/expression-type.ts'
import { ipv4, ipv6, number32, padded, port, type ValueType } from '#kernel/nft/value-type.ts'
import type { NftFamily, NftInstruction, NftSet } from '#kernel/nftables/ruleset.ts'

export type TableContext = {
  readonly family: NftFamily
  readonly sets: Map<string, NftSet>
  readonly anonymous: NftSet[]
}

export type Loaded = { readonly register: number; readonly types: readonly ValueType[] }
type Span = { readonly first: number; readonly last: number }

const wordsOf = (length: number) => Math.max(1, Math.ceil(length / 4))

export class CodeWriter {
  readonly code: NftInstruction[] = []
  readonly family: NftFamily
  readonly #context: TableContext
  readonly #known = new Set<string>()
  #register = 0

  constructor(context: TableContext) {
    this.#context = context
    this.family = context.family
  }

  put(instruction: NftInstruction): true {
    this.code.push(instruction)
    return true
  }
  other(text: string): void {
    this.put({ kind: 'other', name: text, data: new Uint8Array() })
  }
  resetRegisters(): void {
    this.#register = 0
  }
  set(name: string): NftSet | undefined {
    return this.#context.sets.get(name)
  }

  #allocate(length: number): number {
    const register = this.#register
    this.#register += wordsOf(length)
    return register
  }

  /** Into the next free registers; undefined where it is not known how. */
  load(expression: Expression): Loaded | undefined {
    if (expression.kind === 'concat') return this.#loadConcat(expression.parts)
    if (expression.kind === 'map') return this.#loadMap(expression, undefined)
    const type = typeOfExpression(expression, this.family)
    if (type === undefined || !this.#require(expression)) return undefined
    const to = this.#allocate(type.length)
    return this.#loadInto(expression, to, type) ? { register: to, types: [type] } : undefined
  }

  /** A constant of that type, or whatever has one. */
  loadAs(expression: Expression, type: ValueType): Loaded | undefined {
    const constant = constantOf(expression, type)
    if (constant === undefined)
      return expression.kind === 'map' ? this.#loadMap(expression, [type]) : this.load(expression)
    return { register: this.immediate(constant), types: [type] }
  }

  immediate(value: Uint8Array): number {
    const to = this.#allocate(value.length)
    this.put({ kind: 'immediate', to, value: padded(value) })
    return to
  }

  #loadConcat(parts: readonly Expression[]): Loaded | undefined {
    const types = parts.map((part) => typeOfExpression(part, this.family))
    if (types.includes(undefined) || !parts.every((part) => this.#require(part))) return undefined
    const start = this.#register
    for (const [i, part] of parts.entries())
      if (!this.#loadInto(part, this.#allocate(types[i]!.length), types[i]!)) return undefined
    return { register: start, types: types as ValueType[] }
  }

  #loadMap(
    { key, to }: Extract<Expression, { kind: 'map' }>,
    data: readonly ValueType[] | undefined,
  ): Loaded | undefined {
    const loaded = this.load(key)
    if (loaded === undefined) return undefined
    const named = to.kind === 'named' ? this.set(to.set) : undefined
    const types = named === undefined ? data : typesOfData(named)
    if (types === undefined) return undefined
    const set = this.collection(to, loaded.types, types)
    if (set === undefined) return undefined
    const register = this.#allocate(types.reduce((sum, type) => sum + 4 * wordsOf(type.length), 0))
    this.put({ kind: 'lookup', set, key: loaded.register, to: register, inverted: false })
    return { register, types }
  }

  /** The name of a set: a named one, or one that is made here. */
  collection(
    expression: Expression,
    types: readonly ValueType[],
    data?: 'verdict' | readonly ValueType[],
  ): string | undefined {
    if (expression.kind === 'named') return this.#context.sets.has(expression.set) ? expression.set : undefined
    if (expression.kind !== 'set') return undefined
    const name = `__${data === undefined ? 'set' : 'map'}${this.#context.anonymous.length}`
    const set = buildSet(name, types, data, expression.elements, true)
    this.#context.anonymous.push(set)
    this.#context.sets.set(name, set)
    return name
  }

  /** The protocols that a header needs, once for a rule. False where the header is not known. */
  #require(expression: Expression): boolean {
    if (expression.kind === 'binary') return this.#require(expression.left)
    if (expression.kind !== 'payload') return true
    const { protocol } = expression
    if (protocol === 'ip' || protocol === 'ip6') {
      if (this.family === 'inet') this.check('nfproto', Uint8Array.of(protocol === 'ip' ? 2 : 10))
      else if (this.family !== protocol)
        this.check('protocol', protocol === 'ip' ? Uint8Array.of(8, 0) : Uint8Array.of(0x86, 0xdd))
      return true
    }
    const number = transportNumbers[protocol]
    if (this.family === 'inet' && protocol.startsWith('icmp'))
      this.check('nfproto', Uint8Array.of(number === 1 ? 2 : 10))
    if (number !== undefined) this.check('l4proto', Uint8Array.of(number))
    return true
  }

  /** Compares, unless the rule has done so already. */
  check(key: string, value: Uint8Array): void {
    const name = `${key} ${value.join(' ')}`
    if (this.#known.has(name)) return
    this.#known.add(name)
    const register = this.#register
    this.put({ kind: 'meta', to: register, key })
    this.put({ kind: 'compare', register, is: '==', value })
  }
  /** What the rule has compared itself needs no check again. */
  knows(key: string, value: Uint8Array): void {
    this.#known.add(`${key} ${value.join(' ')}`)
  }

  #loadInto(expression: Expression, to: number, type: ValueType): boolean {
    switch (expression.kind) {
      case 'payload': {
        const field = fieldOf(expression.protocol, expression.field)
        if (field === undefined) return false
        const { base, offset, bits } = field
        this.put({ kind: 'payload', to, at: { base, offset, length: type.length } })
        if (bits === undefined) return true
        this.put({ kind: 'bitwise', from: to, to, mask: Uint8Array.of(bits.mask), xor: Uint8Array.of(0) })
        return bits.shift === 0 || this.put({ kind: 'shift', from: to, to, length: 1, left: false, bits: bits.shift })
      }
      case 'raw': {
        const base = { ll: 'link', nh: 'network', th: 'transport', ih: 'inner' }[expression.base] as 'link' | undefined
        if (base === undefined || expression.offset % 8 !== 0 || expression.length % 8 !== 0) return false
        return this.put({
          kind: 'payload',
          to,
          at: { base, offset: expression.offset / 8, length: expression.length / 8 },
        })
      }
      case 'meta':
        return this.put({
          kind: 'meta',
          to,
          key:
            metaTypes[expression.key] === undefined
              ? expression.key
              : ({ iif: 'iifname', oif: 'oifname' }[expression.key] ?? expression.key),
        })
      case 'ct': {
        const { key, direction } = expression
        connectionType(key, this.family)
        return this.put({
          kind: 'ct',
          to,
          key: key === 'l3proto' ? 'l3protocol' : key,
          ...(direction !== undefined && { direction }),
        })
      }
      case 'fib':
        return this.put({
          kind: 'fib',
          to,
          result: expression.result as 'type',
          by: expression.flags as readonly 'daddr'[],
          isPresent: false,
        })
      case 'numgen':
        return this.put({
          kind: 'number',
          to,
          below: expression.mod,
          offset: expression.offset,
          random: expression.random,
        })
      case 'hash':
        return this.#loadHash(expression, to)
      case 'binary':
        return this.#loadBinary(expression, to, type)
      default:
        return false
    }
  }

  #loadHash({ of, mod, seed = 0, offset }: Extract<Expression, { kind: 'hash' }>, to: number): boolean {
    if (of === undefined) return this.put({ kind: 'hash', to, below: mod, seed, offset })
    const loaded = this.load(of)
    if (loaded === undefined) return false
    const length = loaded.types.reduce((sum, type) => sum + type.length, 0)
    return this.put({ kind: 'hash', to, of: { from: loaded.register, length }, below: mod, seed, offset })
  }

  /** `mark & 0xff`, `mark | 0x1`, `mark ^ 0x1`: all are (value & mask) ^ xor. */
  #loadBinary({ op, left, right }: Extract<Expression, { kind: 'binary' }>, to: number, type: ValueType): boolean {
    if (!this.#loadInto(left, to, type)) return false
    if (op === '<<' || op === '>>') {
      const bits = constantOf(right, number32)
      return (
        bits !== undefined &&
        this.put({ kind: 'shift', from: to, to, length: type.length, left: op === '<<', bits: bits[0]! })
      )
    }
    const value = constantOf(right, type)
    if (value === undefined) return false
    const none = value.map(() => 0)
    const all = value.map(() => 255)
    const [mask, xor] =
      op === '&' ? [value, none] : op === '|' ? [value.map((byte) => ~byte & 255), value] : [all, value]
    return this.put({ kind: 'bitwise', from: to, to, mask, xor })
  }

  /** One value or a range of them, in registers. */
  constants(expression: Expression, type: ValueType): Span | undefined {
    const ends = endsOf(expression, [type])
    if (ends === undefined) return undefined
    const first = this.immediate(ends.first)
    const isOne = ends.first.every((byte, i) => byte === ends.last[i])
    return { first, last: isOne ? first : this.immediate(ends.last) }
  }
  loadedPort(expression: Expression): Span | undefined {
    const loaded = this.loadAs(expression, port)
    return loaded && { first: loaded.register, last: loaded.register }
  }

  /** Where nat leads: an address, a range, or what a map says, which may have a port too. */
  natTarget(
    expression: Expression,
    family: string,
  ): { readonly address: number; readonly addressEnd: number; readonly port?: number } | undefined {
    const type = family === 'ip6' ? ipv6 : ipv4
    const span = this.constants(expression, type)
    if (span !== undefined) return { address: span.first, addressEnd: span.last }
    const loaded =
      expression.kind === 'map' ? this.#loadMap(expression, mapData(expression.to, type)) : this.load(expression)
    if (loaded === undefined) return undefined
    const { register } = loaded
    return {
      address: register,
      addressEnd: register,
      ...(loaded.types.length > 1 && { port: register + wordsOf(type.length) }),
    }
  }
}

/** A map of one's own has a port too where its first element has. */
function mapData(to: Expression, address: ValueType): readonly ValueType[] {
  const data = to.kind === 'set' ? to.elements[0]?.data : undefined
  return data?.kind === 'concat' ? [address, port] : [address]
}

function typesOfData({ data, dataLengths = [] }: NftSet): readonly ValueType[] | undefined {
  if (data === undefined || data === 'verdict') return undefined
  return data.map((name, i) => ({ name, length: dataLengths[i] ?? 4 }))
}
