// The formats that strings of a schema may be asked to have (kube-openapi's strfmt), and its patterns.

import { dns1123Label, dns1123Subdomain } from '#api/names.ts'
import { createPattern, type Pattern } from '#api/pattern/pattern.ts'
import { PatternError } from '#api/pattern/syntax.ts'
import { parseCidr } from '#lib/cidr.ts'
import { ipFamily } from '#lib/ip.ts'

type Check = (text: string) => boolean

const matches =
  (pattern: RegExp): Check =>
  (text) =>
    pattern.test(text)

const luhn: Check = (text) => {
  const digits = text.replaceAll(/[^0-9]+/g, '')
  if (
    !/^(?:4\d{12}(?:\d{3})?|5[1-5]\d{14}|6(?:011|5\d\d)\d{12}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|(?:2131|1800|35\d{3})\d{11})$/.test(
      digits,
    )
  )
    return false
  const sum = [...digits].reverse().reduce((total, digit, at) => {
    const doubled = at % 2 === 1 ? Number(digit) * 2 : Number(digit)
    return total + (doubled > 9 ? doubled - 9 : doubled)
  }, 0)
  return sum % 10 === 0
}

const isbn10: Check = (text) => {
  const digits = text.replaceAll(/[\s-]/g, '')
  if (!/^\d{9}[\dX]$/.test(digits)) return false
  const sum = [...digits].reduce((total, digit, at) => total + (at + 1) * (digit === 'X' ? 10 : Number(digit)), 0)
  return sum % 11 === 0
}

const isbn13: Check = (text) => {
  const digits = text.replaceAll(/[\s-]/g, '')
  if (!/^\d{13}$/.test(digits)) return false
  return [...digits].reduce((total, digit, at) => total + Number(digit) * (at % 2 === 0 ? 1 : 3), 0) % 10 === 0
}

const date: Check = (text) => {
  const match = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text)
  if (match === null) return false
  const [year, month, day] = match.slice(1).map(Number) as [number, number, number]
  const lastDays = [
    31,
    year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28,
    31,
    30,
    31,
    30,
    31,
    31,
    30,
    31,
    30,
    31,
  ]
  return month >= 1 && month <= 12 && day >= 1 && day <= lastDays[month - 1]!
}

const dateTime: Check = (text) => {
  const match = /^(\d{4}-\d{2}-\d{2})[tT](\d{2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?(?:[zZ]|[+-]\d{2}:?\d{2})?$/.exec(text)
  if (match === null || !date(match[1]!)) return false
  return Number(match[2]) < 24 && Number(match[3]) < 60 && Number(match[4] ?? 0) < 60
}

const duration: Check = (text) =>
  /^[+-]?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/.test(text) ||
  /^(?:\d+\s*(?:ns|nanos?|us|micros?|ms|millis?|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|wks?|weeks?)\s*)+$/.test(
    text,
  )

const uri: Check = (text) => text.startsWith('/') || /^[a-zA-Z][a-zA-Z0-9+.-]*:[^\s]*$/.test(text)

const uuid = (third: string, fourth: string) =>
  matches(new RegExp(`^[0-9a-f]{8}-?[0-9a-f]{4}-?${third}-?${fourth}-?[0-9a-f]{12}$`, 'i'))
const any4 = '[0-9a-f]{4}'

/** By their names without dashes. */
const checks: Readonly<Record<string, Check>> = {
  bsonobjectid: matches(/^[0-9a-fA-F]{24}$/),
  uri,
  email: matches(/^(?:[^<>()@,;:\\"\s]+|"[^"]*")@[^@\s<>]+$/),
  hostname: matches(
    /^(?=.{1,255}$)[a-zA-Z0-9\p{S}\p{L}](?:[a-zA-Z0-9\-\p{S}\p{L}]{0,61}[a-zA-Z0-9\p{S}\p{L}])?(?:\.[a-zA-Z0-9\p{S}\p{L}](?:[a-zA-Z0-9\-\p{S}\p{L}]{0,61}[a-zA-Z0-9\p{S}\p{L}])?)*$/u,
  ),
  ipv4: (text) => ipFamily(text) === 4,
  ipv6: (text) => ipFamily(text) === 6,
  cidr: (text) => parseCidr(text) !== undefined,
  mac: matches(/^(?:[0-9a-fA-F]{2}([:-])(?:[0-9a-fA-F]{2}\1){4}[0-9a-fA-F]{2}|(?:[0-9a-fA-F]{4}\.){2}[0-9a-fA-F]{4})$/),
  uuid: uuid(any4, any4),
  uuid3: uuid('3[0-9a-f]{3}', any4),
  uuid4: uuid('4[0-9a-f]{3}', '[89ab][0-9a-f]{3}'),
  uuid5: uuid('5[0-9a-f]{3}', '[89ab][0-9a-f]{3}'),
  isbn: (text) => isbn10(text) || isbn13(text),
  isbn10,
  isbn13,
  creditcard: luhn,
  ssn: matches(/^\d{3}[- ]?\d{2}[- ]?\d{4}$/),
  hexcolor: matches(/^#?(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})$/),
  rgbcolor: matches(
    /^rgb\(\s*(?:(?:\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])\s*,\s*){2}(?:\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])\s*\)$/,
  ),
  byte: matches(/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/),
  password: () => true,
  date,
  duration,
  datetime: dateTime,
  k8sshortname: (text) => dns1123Label(text).length === 0,
  k8slongname: (text) => dns1123Subdomain(text).length === 0,
}

/** Undefined: no such format is known, so it asks for nothing. */
export const formatCheck = (format: string): Check | undefined => checks[format.replaceAll('-', '')]

/** Whether a format means something for a type; what means nothing is warned about. */
export function isKnownFormat(type: string | undefined, format: string): boolean {
  switch (type || 'string') {
    case 'string':
      return formatCheck(format) !== undefined
    case 'integer':
      return format === 'int32' || format === 'int64'
    case 'number':
      return format === 'float' || format === 'double'
    default:
      return false
  }
}

const patterns = new Map<string, Pattern | PatternError>()
const mostPatterns = 10_000

/** A schema's pattern, made once; an error where it is none. */
export function patternOf(text: string): Pattern | PatternError {
  const known = patterns.get(text)
  if (known !== undefined) return known
  const made = patternOrError(text)
  if (patterns.size >= mostPatterns) patterns.clear()
  patterns.set(text, made)
  return made
}

function patternOrError(text: string): Pattern | PatternError {
  try {
    return createPattern(text)
  } catch (error) {
    if (error instanceof PatternError) return error
    throw error
  }
}
