// Quantities: '500m', '30Gi', '1e3'. The rules are those of apimachinery's api/resource, release 1.36: at most nine
// decimal places, rounded up; a canonical form that keeps the family of the suffix.

import { ok, type Result, wrong } from '#api/result.ts'

/** A value of `digits` times ten to the power of `exponent`. */
export type Quantity = {
  readonly digits: bigint
  readonly exponent: number
  readonly format: 'decimal' | 'exponent' | 'binary'
  /** the text itself where upstream shows it as it was written */
  readonly text?: string
}

const decimalSuffixes = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E']
const binarySuffixes = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei']
const mostBinary = 2n ** 63n - 1n
const form = /^([+-]?)([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*[-+]?[0-9]*)$/

export function parseQuantity(text: string): Result<Quantity> {
  const match = form.exec(text)
  if (text === '' || match === null)
    return wrong("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")
  const [, sign, whole = '', fraction = '', suffix = ''] = match
  if (text === '0') return ok({ digits: 0n, exponent: 0, format: 'decimal', text })
  const unit = interpret(suffix)
  if (unit === undefined) return wrong("unable to parse quantity's suffix")
  const integer = whole.replace(/^0+/, '') || '0'
  const digits = BigInt(integer + fraction) * 1024n ** BigInt(unit.binary) * (sign === '-' ? -1n : 1n)
  const exponent = unit.exponent - fraction.length
  const kept = isKept(integer, fraction, unit, exponent) ? { text } : {}
  return ok(bounded({ digits, exponent, format: unit.format, ...kept }))
}

type Unit = { readonly format: Quantity['format']; readonly exponent: number; readonly binary: number }

function interpret(suffix: string): Unit | undefined {
  const decimal = decimalSuffixes.indexOf(suffix)
  if (decimal >= 0) return { format: 'decimal', exponent: (decimal - 3) * 3, binary: 0 }
  const binary = binarySuffixes.indexOf(suffix)
  if (binary >= 0) return { format: 'binary', exponent: 0, binary }
  const exponent = /^[eE]([-+]?\d+)$/.exec(suffix)?.[1]
  // No quantity of any use is larger; without a bound, one text could fill the memory.
  if (exponent === undefined || Math.abs(Number(exponent)) > 999) return undefined
  return { format: 'exponent', exponent: Number(exponent), binary: 0 }
}

/** Upstream's shortcut for texts that look canonical: it shows them as written, '1.500' and '+5' included. */
function isKept(integer: string, fraction: string, unit: Unit, exponent: number): boolean {
  const shifted = integer + fraction
  if (unit.format === 'binary') {
    const precision = 15 - integer.length - Math.trunc(unit.binary * 3) - 1
    return fraction === '' && precision >= 0 && (BigInt(integer) & 7n) !== 0n
  }
  if (18 - shifted.length < 0 || exponent < -9) return false
  return exponent % 3 === 0 && !shifted.endsWith('000') && !shifted.startsWith('0')
}

/** Rounds away from zero to nine places and caps what is too large for an int64 of bytes. */
function bounded(quantity: Quantity): Quantity {
  const { digits, exponent, format } = quantity
  if (exponent < -9) {
    const unit = 10n ** BigInt(-9 - exponent)
    const whole = digits / unit
    const rounded = digits % unit === 0n ? whole : whole + (digits < 0n ? -1n : 1n)
    return bounded({ digits: rounded, exponent: -9, format })
  }
  if (format !== 'binary') return quantity
  const size = absolute(digits)
  const one = 10n ** BigInt(-exponent)
  if (size > mostBinary * one) return { digits: digits < 0n ? -mostBinary : mostBinary, exponent: 0, format }
  return size > 0n && size < one ? { ...quantity, format: 'decimal' } : quantity
}

const absolute = (value: bigint) => (value < 0n ? -value : value)

/** The canonical text: no fraction, the largest suffix that loses nothing. */
export function formatQuantity(quantity: Quantity): string {
  const { digits, exponent, format, text } = quantity
  if (text !== undefined) return text
  if (digits === 0n) return '0'
  const whole = format === 'binary' ? wholeOf(quantity) : undefined
  if (whole !== undefined && absolute(whole) >= 1024n) {
    let rest = whole
    let power = 0
    for (; rest % 1024n === 0n; power++) rest /= 1024n
    return `${rest}${binarySuffixes[power] ?? ''}`
  }
  let rest = digits
  let power = exponent
  for (; rest % 10n === 0n; power++) rest /= 10n
  for (; power % 3 !== 0; power--) rest *= 10n
  if (format === 'exponent') return power === 0 ? `${rest}` : `${rest}e${power}`
  return `${rest}${decimalSuffixes[power / 3 + 3] ?? ''}`
}

/** The value where it has no fraction. */
function wholeOf({ digits, exponent }: Quantity): bigint | undefined {
  if (exponent >= 0) return digits * 10n ** BigInt(exponent)
  const unit = 10n ** BigInt(-exponent)
  return digits % unit === 0n ? digits / unit : undefined
}

/** Most quantities are canonical as they come. */
const plain = /^[1-9]\d{0,2}([mkMGTPE]|[KMGTP]i)?$/

/** The canonical form of a text, as it is stored. */
export function canonicalQuantity(text: string): Result<string> {
  if (plain.test(text)) return ok(text)
  const quantity = parseQuantity(text)
  return quantity.kind === 'ok' ? ok(formatQuantity(quantity.value)) : quantity
}

/** Negative, 0 or positive. */
export function compareQuantity(a: Quantity, b: Quantity): number {
  const [left, right] = aligned(a, b)
  return left < right ? -1 : Number(left > right)
}

/** The sum, in the format of the first unless that is zero. */
export function addQuantity(a: Quantity, b: Quantity): Quantity {
  const [left, right, exponent] = aligned(a, b)
  return { digits: left + right, exponent, format: a.digits === 0n ? b.format : a.format }
}

export function subtractQuantity(a: Quantity, b: Quantity): Quantity {
  return addQuantity(a, { digits: -b.digits, exponent: b.exponent, format: b.format })
}

/** The value as a number, rounded up to a whole one: bytes, or cores. */
export function quantityValue(quantity: Quantity): number {
  return roundedUp(quantity, 0)
}

/** A thousand times the value, rounded up: milli-cores. */
export function quantityMilliValue(quantity: Quantity): number {
  return roundedUp(quantity, 3)
}

function roundedUp({ digits, exponent }: Quantity, scale: number): number {
  const power = exponent + scale
  if (power >= 0) return Number(digits * 10n ** BigInt(power))
  const unit = 10n ** BigInt(-power)
  const whole = digits / unit
  return Number(digits % unit === 0n ? whole : whole + (digits < 0n ? -1n : 1n))
}

function aligned(a: Quantity, b: Quantity): [bigint, bigint, number] {
  const exponent = Math.min(a.exponent, b.exponent)
  return [a.digits * 10n ** BigInt(a.exponent - exponent), b.digits * 10n ** BigInt(b.exponent - exponent), exponent]
}
