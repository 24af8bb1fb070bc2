// Encoding in DER (ITU X.690), as far as certificates need it: values in, bytes out.

import { concat, utf8 } from '#lib/bytes.ts'

const tags = {
  boolean: 0x01,
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  oid: 0x06,
  utf8: 0x0c,
  sequence: 0x30,
  set: 0x31,
}

function tagged(tag: number, body: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(tag), lengthOf(body.length), body)
}

function lengthOf(length: number): Uint8Array {
  if (length < 0x80) return Uint8Array.of(length)
  const bytes: number[] = []
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256)
  return Uint8Array.of(0x80 | bytes.length, ...bytes)
}

export const sequence = (...parts: readonly Uint8Array[]): Uint8Array => tagged(tags.sequence, concat(...parts))
export const set = (...parts: readonly Uint8Array[]): Uint8Array => tagged(tags.set, concat(...parts))
export const octets = (bytes: Uint8Array): Uint8Array => tagged(tags.octets, bytes)
export const utf8String = (text: string): Uint8Array => tagged(tags.utf8, utf8(text))
export const boolean = (value: boolean): Uint8Array => tagged(tags.boolean, Uint8Array.of(value ? 0xff : 0))

/** A number that is not negative, from its big-endian bytes. */
export function integer(bytes: Uint8Array): Uint8Array {
  let start = 0
  while (start < bytes.length - 1 && bytes[start] === 0) start++
  const short = bytes.subarray(start)
  // The top bit is the sign.
  return tagged(tags.integer, short.length === 0 || short[0]! >= 0x80 ? concat(Uint8Array.of(0), short) : short)
}

/** A string of whole bytes; `unused` of the last one's bits do not count. */
export const bits = (bytes: Uint8Array, unused = 0): Uint8Array =>
  tagged(tags.bits, concat(Uint8Array.of(unused), bytes))

/** '1.2.840.10045.4.3.2' */
export function oid(text: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number)
  const bytes = [first * 40 + second, ...rest].flatMap((arc) => {
    const septets = [arc & 0x7f]
    for (let left = arc >>> 7; left > 0; left >>>= 7) septets.unshift(0x80 | (left & 0x7f))
    return septets
  })
  return tagged(tags.oid, Uint8Array.from(bytes))
}

/** UTCTime up to 2049 and GeneralizedTime from 2050 on (RFC 5280, 4.1.2.5); whole seconds. */
export function time(ms: number): Uint8Array {
  const digits = new Date(ms).toISOString().replaceAll(/[-T:]/g, '').slice(0, 14)
  return digits < '2050' ? tagged(0x17, utf8(`${digits.slice(2)}Z`)) : tagged(0x18, utf8(`${digits}Z`))
}

/** `[n] EXPLICIT` around values, or `[n] IMPLICIT` around structured content. */
export const context = (n: number, body: Uint8Array): Uint8Array => tagged(0xa0 | n, body)
/** `[n] IMPLICIT` for content that has no parts. */
export const contextBytes = (n: number, body: Uint8Array): Uint8Array => tagged(0x80 | n, body)
