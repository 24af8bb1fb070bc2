// Sets and maps as `nft` prints them, in the kernel's own form: keys and data as bytes, ranges by their ends.

import type { Element, Expression, SetObject, SetType } from '#kernel/nft/ast.ts'
import {
  encodeNumber,
  encodeValue,
  isHostOrder,
  namedTypes,
  number32,
  padded,
  type ValueType,
} from '#kernel/nft/value-type.ts'
import { typeOfExpression } from '#kernel/nft/expression-type.ts'
import { concat } from '#lib/bytes.ts'
import type { NftElement, NftFamily, NftSet, NftVerdict } from '#kernel/nftables/ruleset.ts'

export function compileSet(set: SetObject, family: NftFamily): NftSet {
  const types = set.key.map((item) => typeOf(item, family))
  const data =
    set.data === undefined || set.data === 'verdict' ? set.data : set.data.map((item) => typeOf(item, family))
  return {
    ...buildSet(set.name, types, data, set.elements, false, set.flags.includes('interval')),
    comment: set.comment ?? '',
    dynamic: set.flags.includes('dynamic'),
    ...(set.timeoutMs !== undefined && { timeoutMs: set.timeoutMs }),
  }
}

const typeOf = (item: SetType, family: NftFamily): ValueType =>
  typeof item === 'string' ? (namedTypes[item] ?? number32) : (typeOfExpression(item, family) ?? number32)

/** A set out of its elements; what is not a value of its type is left out. */
export function buildSet(
  name: string,
  types: readonly ValueType[],
  data: 'verdict' | readonly ValueType[] | undefined,
  elements: readonly Element[],
  anonymous: boolean,
  interval = elements.some(({ key }) => hasRange(key)),
): NftSet {
  const concatenated = types.length > 1
  return {
    name,
    comment: '',
    anonymous,
    key: types.map((type) => type.name),
    keyLengths: lengthsOf(types),
    ...(data !== undefined && { data: data === 'verdict' ? data : data.map((type) => type.name) }),
    ...(data !== undefined && data !== 'verdict' && { dataLengths: lengthsOf(data) }),
    interval,
    concatenated: concatenated && interval,
    dynamic: false,
    elements: elements.flatMap((element) => compileElement(element, types, data, interval)),
  }
}

const lengthsOf = (types: readonly ValueType[]) =>
  types.length === 1 ? [types[0]!.length] : types.map(({ length }) => Math.ceil(length / 4) * 4)

const hasRange = (key: Expression): boolean =>
  key.kind === 'range' ||
  key.kind === 'prefix' ||
  (key.kind === 'concat' && key.parts.some(hasRange)) ||
  (key.kind === 'quoted' && key.text.endsWith('*'))

function compileElement(
  element: Element,
  types: readonly ValueType[],
  data: 'verdict' | readonly ValueType[] | undefined,
  interval: boolean,
): NftElement[] {
  const rest = dataOf(element, data)
  if (rest === undefined) return []
  const more = {
    ...rest,
    ...(element.comment !== undefined && { comment: element.comment }),
    ...(element.timeoutMs !== undefined && { timeoutMs: element.timeoutMs }),
    ...(element.expiresMs !== undefined && { expiresMs: element.expiresMs }),
  }
  if (element.key.kind === 'value' && element.key.text === '*')
    return [{ key: new Uint8Array(), catchAll: true, ...more }]
  const ends = endsOf(element.key, types)
  if (ends === undefined) return []
  const { first, last } = ends
  if (!interval) return [{ key: first, ...more }]
  if (types.length > 1) return [{ key: first, keyEnd: last, ...more }]
  const behind = next(last)
  return [{ key: first, ...more }, ...(behind === undefined ? [] : [{ key: behind, isEnd: true as const }])]
}

function dataOf(
  { data }: Element,
  types: 'verdict' | readonly ValueType[] | undefined,
): Pick<NftElement, 'data' | 'verdict'> | undefined {
  if (types === undefined || data === undefined) return {}
  if (isVerdict(data)) return types === 'verdict' ? { verdict: data } : undefined
  if (types === 'verdict') return undefined
  const ends = endsOf(data, types)
  return ends && { data: ends.first }
}

const isVerdict = (data: Expression | NftVerdict): data is NftVerdict =>
  ['accept', 'drop', 'continue', 'return', 'break', 'queue', 'jump', 'goto'].includes(data.kind)

type Ends = { readonly first: Uint8Array; readonly last: Uint8Array }

export function endsOf(key: Expression, types: readonly ValueType[]): Ends | undefined {
  if (types.length === 1) return partEnds(key, types[0]!)
  if (key.kind !== 'concat' || key.parts.length !== types.length) return undefined
  const parts = key.parts.map((part, i) => partEnds(part, types[i]!))
  if (parts.includes(undefined)) return undefined
  return {
    first: concat(...parts.map((part) => padded(part!.first))),
    last: concat(...parts.map((part) => padded(part!.last))),
  }
}

function partEnds(part: Expression, type: ValueType): Ends | undefined {
  switch (part.kind) {
    case 'value':
    case 'quoted': {
      if (part.text.endsWith('*') && type.name === 'interface-name') {
        const first = new Uint8Array(type.length)
        const start = new TextEncoder().encode(part.text.slice(0, -1))
        first.set(start)
        return { first, last: first.map((byte, i) => (i < start.length ? byte : 255)) }
      }
      const bytes = encodeValue(part.text, type)
      return bytes && { first: bytes, last: bytes }
    }
    case 'flags':
    case 'binary': {
      const bytes = constantOf(part, type)
      return bytes && { first: bytes, last: bytes }
    }
    case 'range': {
      const [first, last] = [partEnds(part.first, type)?.first, partEnds(part.last, type)?.first]
      return first && last && { first, last }
    }
    case 'prefix': {
      const base = partEnds(part.base, type)?.first
      return base && { first: masked(base, part.length, 0), last: masked(base, part.length, 255) }
    }
    default:
      return undefined
  }
}

/** Bits behind the prefix become those of `fill`. */
export const masked = (bytes: Uint8Array, prefix: number, fill: 0 | 255): Uint8Array =>
  bytes.map((byte, i) => {
    const bits = Math.min(8, Math.max(0, prefix - 8 * i))
    const mask = (0xff00 >> bits) & 0xff
    return (byte & mask) | (fill & ~mask & 0xff)
  })

/** The key that follows; undefined behind the last. */
function next(bytes: Uint8Array): Uint8Array | undefined {
  const after = bytes.slice()
  for (let at = after.length - 1; at >= 0; at--) {
    if (after[at] === 255) after[at] = 0
    else {
      after[at]!++
      return after
    }
  }
  return undefined
}

/** `0x4000`, `established,related`, `fin | syn`, `10.0.0.1`; undefined where it is not a constant. */
export function constantOf(expression: Expression, type: ValueType): Uint8Array | undefined {
  switch (expression.kind) {
    case 'value':
    case 'quoted':
      return encodeValue(expression.text, type)
    case 'flags':
      return combine(expression.items, type, (a, b) => a | b)
    case 'prefix': {
      const base = constantOf(expression.base, type)
      return base && masked(base, expression.length, 0)
    }
    case 'binary': {
      const { op, left, right } = expression
      if (op === '<<' || op === '>>') {
        const [value, bits] = [constantOf(left, number32), constantOf(right, number32)]
        if (value === undefined || bits === undefined) return undefined
        const number = new DataView(value.buffer).getUint32(0, true)
        return encodeNumber((op === '<<' ? number << bits[0]! : number >>> bits[0]!) >>> 0, type, isHostOrder(type))
      }
      const act = {
        '|': (a: number, b: number) => a | b,
        '&': (a: number, b: number) => a & b,
        '^': (a: number, b: number) => a ^ b,
      }[op]
      return act && combine([left, right], type, act)
    }
    default:
      return undefined
  }
}

function combine(
  items: readonly Expression[],
  type: ValueType,
  act: (a: number, b: number) => number,
): Uint8Array | undefined {
  const values = items.map((item) => constantOf(item, type))
  if (values.includes(undefined)) return undefined
  return (values as Uint8Array[]).reduce((a, b) => a.map((byte, i) => act(byte, b[i]!)))
}
