// The scalars of the schema, from JSON to the form in which they are stored, with the texts of Go's decoders. Each
// function answers undefined when it has reported a failure.

import { type DecodeContext, kindOfJson } from '#api/decode-context.ts'
import { canonicalQuantity } from '#api/quantity.ts'
import type { Json, Scalars } from '#api/schema/schema.ts'
import { parseMicroTime, parseTime } from '#api/time.ts'

type Decode = (value: unknown, context: DecodeContext) => Json | undefined

export const scalarDecoders: Readonly<Record<keyof Scalars, Decode>> = {
  string: (value, context) => (typeof value === 'string' ? value : context.mismatch(kindOfJson(value), 'string')),
  bool: (value, context) => (typeof value === 'boolean' ? value : context.mismatch(kindOfJson(value), 'bool')),
  int32: (value, context) => decodeInteger(value, context, 'int32', 2 ** 31),
  int64: (value, context) => decodeInteger(value, context, 'int64', 2 ** 63),
  double: (value, context) => (typeof value === 'number' ? value : context.mismatch(kindOfJson(value), 'float64')),
  bytes: decodeBytes,
  Time: (value, context) => decodeTime(value, context, parseTime),
  MicroTime: (value, context) => decodeTime(value, context, parseMicroTime),
  Quantity: decodeQuantity,
  IntOrString: (value, context) =>
    typeof value === 'string' ? value : decodeInteger(value, context, 'int32', 2 ** 31),
  Raw: (value) => value as Json,
  Fields: (value) => value as Json,
  JSON: (value) => value as Json,
  Schema: (value) => value as Json,
}

/** What stands for no value: `''`, 0, false. Types that have no such value answer false for all. */
export function isZero(scalar: keyof Scalars, value: unknown): boolean {
  if (scalar === 'Quantity') return false
  return value === '' || value === 0 || value === false
}

/** The zero value of a scalar that stands in every object; undefined where there is none in JSON. */
export function zeroOf(scalar: keyof Scalars): Json | undefined {
  switch (scalar) {
    case 'string':
    case 'bytes':
      return ''
    case 'int32':
    case 'int64':
    case 'double':
    case 'IntOrString':
      return 0
    case 'bool':
      return false
    case 'Quantity':
      return '0'
    default:
      return undefined
  }
}

function decodeInteger(value: unknown, context: DecodeContext, type: string, bound: number): number | undefined {
  if (typeof value !== 'number') return context.mismatch(kindOfJson(value), type)
  if (Number.isInteger(value) && value < bound && value >= -bound) return value === 0 ? 0 : value
  return context.mismatch(`number ${value}`, type)
}

const wholeBase64 = /^(?:[A-Za-z0-9+/]{4})*$/
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

function decodeBytes(value: unknown, context: DecodeContext): string | undefined {
  if (typeof value !== 'string') return context.mismatch(kindOfJson(value), '[]uint8')
  if (wholeBase64.test(value)) return value
  const text = value.replaceAll(/[\r\n]/g, '')
  // Encoding anew clears what a last character may say beyond the last byte.
  if (base64.test(text)) return btoa(atob(text))
  const good = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}=|[A-Za-z0-9+/]{0,3})/.exec(text)![0]
  return context.fail(`illegal base64 data at input byte ${good.length}`)
}

function decodeTime(value: unknown, context: DecodeContext, parse: typeof parseTime): string | undefined {
  if (typeof value !== 'string') return context.mismatch(kindOfJson(value), 'string')
  const time = parse(value)
  return time.kind === 'ok' ? time.value : context.fail(time.message)
}

function decodeQuantity(value: unknown, context: DecodeContext): string | undefined {
  const text = typeof value === 'number' ? String(value) : typeof value === 'string' ? value : kindOfJson(value)
  const quantity = canonicalQuantity(text)
  return quantity.kind === 'ok' ? quantity.value : context.fail(quantity.message)
}
