// Comparisons of nft in instructions.

import type { Expression, Operator, Statement } from '#kernel/nft/ast.ts'
import type { CodeWriter, Loaded } from '#kernel/nft/code-writer.ts'
import { constantOf, endsOf, masked } from '#kernel/nft/compile-set.ts'
import { encodeNumber, isFlags, isHostOrder, padded, type ValueType } from '#kernel/nft/value-type.ts'
import type { NftComparison } from '#kernel/nftables/ruleset.ts'

/** False where it cannot be said in instructions. */
export function compileMatch({ left, op, right }: Extract<Statement, { kind: 'match' }>, writer: CodeWriter): boolean {
  if (left.kind === 'fib' && right.kind === 'value' && /^(exists|missing|true|false)$/.test(right.text)) {
    const value = Uint8Array.of(/^(exists|true)$/.test(right.text) ? 1 : 0)
    writer.put({
      kind: 'fib',
      to: 0,
      result: left.result as 'oif',
      by: left.flags as readonly 'saddr'[],
      isPresent: true,
    })
    return writer.put({ kind: 'compare', register: 0, is: op === '!=' ? '!=' : '==', value })
  }
  // An interface is printed by its name, whatever its number is.
  const isNamed = left.kind === 'fib' && left.result === 'oif' && !(right.kind === 'value' && /^\d+$/.test(right.text))
  const loaded = writer.load(isNamed ? { ...left, result: 'oifname' } : left)
  if (loaded === undefined) return false
  if (right.kind === 'set' || right.kind === 'named' || loaded.types.length > 1) {
    const listed: Expression =
      right.kind === 'set' || right.kind === 'named' ? right : { kind: 'set', elements: [{ key: right }] }
    const set = writer.collection(listed, loaded.types)
    return set !== undefined && writer.put({ kind: 'lookup', set, key: loaded.register, inverted: op === '!=' })
  }
  return compareOne(left, op, right, loaded, writer)
}

function compareOne(
  left: Expression,
  op: Operator,
  right: Expression,
  { register, types }: Loaded,
  writer: CodeWriter,
): boolean {
  const type = types[0]!
  if (right.kind === 'range') {
    const ends = endsOf(right, [type])
    if (ends === undefined) return false
    const [first, last] = inOrder([ends.first, ends.last], type, register, writer)
    if (op === '!=') return writer.put({ kind: 'range', register, inside: false, first: first!, last: last! })
    writer.put({ kind: 'compare', register, is: '>=', value: first! })
    return writer.put({ kind: 'compare', register, is: '<=', value: last! })
  }
  if (right.kind === 'prefix') return comparePrefix(op, right, type, register, writer)
  if (
    (right.kind === 'value' || right.kind === 'quoted') &&
    right.text.endsWith('*') &&
    type.name === 'interface-name'
  ) {
    const value = new TextEncoder().encode(right.text.slice(0, -1))
    return writer.put({ kind: 'compare', register, is: op === '!=' ? '!=' : '==', value })
  }
  const value = constantOf(right, type)
  if (value === undefined) return false
  if (isFlags(type) && left.kind !== 'binary' && (op === 'implicit' || op === '!')) {
    const none = value.map(() => 0)
    writer.put({ kind: 'bitwise', from: register, to: register, mask: value, xor: none })
    return writer.put({ kind: 'compare', register, is: op === '!' ? '==' : '!=', value: none })
  }
  const is: NftComparison = op === 'implicit' ? '==' : op === '!' ? '!=' : op
  const [wanted] = is === '==' || is === '!=' ? [value] : inOrder([value], type, register, writer)
  if (is === '==' && left.kind === 'meta') writer.knows(left.key, wanted!)
  if (is === '==' && left.kind === 'payload' && /^(protocol|nexthdr)$/.test(left.field))
    writer.knows('l4proto', wanted!)
  return writer.put({ kind: 'compare', register, is, value: wanted! })
}

/** Order is that of bytes: numbers in the machine's own order are turned round first. */
function inOrder(
  values: readonly Uint8Array[],
  type: ValueType,
  register: number,
  writer: CodeWriter,
): readonly Uint8Array[] {
  if (!isHostOrder(type) || type.length === 1) return values
  writer.put({ kind: 'byteorder', from: register, to: register, length: type.length, size: type.length })
  return values.map((value) => {
    const number = value.reduceRight((sum, byte) => sum * 256 + byte, 0)
    return encodeNumber(number, type, false)
  })
}

function comparePrefix(
  op: Operator,
  { base, length }: Extract<Expression, { kind: 'prefix' }>,
  type: ValueType,
  register: number,
  writer: CodeWriter,
): boolean {
  const value = constantOf(base, type)
  if (value === undefined) return false
  const loaded = writer.code.at(-1)
  if (loaded?.kind === 'payload' && length % 8 === 0 && length > 0) {
    // Whole bytes need no mask: only so many are loaded.
    writer.code[writer.code.length - 1] = { ...loaded, at: { ...loaded.at, length: length / 8 } }
    return writer.put({
      kind: 'compare',
      register,
      is: op === '!=' ? '!=' : '==',
      value: value.subarray(0, length / 8),
    })
  }
  const mask = masked(
    value.map(() => 255),
    length,
    0,
  )
  writer.put({ kind: 'bitwise', from: register, to: register, mask: padded(mask), xor: padded(mask.map(() => 0)) })
  return writer.put({
    kind: 'compare',
    register,
    is: op === '!=' ? '!=' : '==',
    value: value.map((byte, i) => byte & mask[i]!),
  })
}
