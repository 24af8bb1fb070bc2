// Domain names on the wire (RFC 1035 section 3.1 and 4.1.4) and as text.
//
// As text a name is lower case, without a trailing dot; '' is the root. A byte that could be mistaken for something
// else (a dot inside a label, a space, anything not printable) is written `\DDD`, so that text and wire form are one
// to one and a strange name never equals a plain one.

const dot = 0x2e
const backslash = 0x5c

/** Longest name on the wire, its length bytes and the root's zero included. */
export const maxNameBytes = 255

export type DecodedName = {
  /** lower case */
  readonly text: string
  /** where reading goes on */
  readonly end: number
}

/** Reads the name at `at`; undefined where it runs out of the message, loops, or is longer than a name may be. */
export function decodeName(message: Uint8Array, at: number, limit = message.length): DecodedName | undefined {
  let text = ''
  let end = -1
  let bytes = 1
  let earliest = at
  for (;;) {
    if (at >= limit) return undefined
    const length = message[at]!
    if (length === 0) return { text, end: end === -1 ? at + 1 : end }
    if ((length & 0xc0) === 0xc0) {
      if (at + 1 >= limit) return undefined
      const target = ((length & 0x3f) << 8) | message[at + 1]!
      if (end === -1) end = at + 2
      // A pointer must lead backwards: so it ends, whatever the bytes are.
      if (target >= earliest) return undefined
      earliest = target
      at = target
      continue
    }
    if ((length & 0xc0) !== 0 || at + 1 + length > limit) return undefined
    bytes += length + 1
    if (bytes > maxNameBytes) return undefined
    const label = textOf(message, at + 1, at + 1 + length)
    text = text === '' ? label : `${text}.${label}`
    at += length + 1
  }
}

/** The wire form without compression; undefined for text that is no name. */
export function encodeName(text: string): Uint8Array | undefined {
  const end = writeName(text, scratch)
  return end === -1 ? undefined : scratch.slice(0, end)
}

const scratch = new Uint8Array(maxNameBytes)

/** Writes the wire form without compression to the start of `out`, and answers its length; -1 for text that is no name. */
export function writeName(text: string, out: Uint8Array): number {
  let end = 0
  for (let start = 0; start < text.length || (start > 0 && start === text.length);) {
    const dotAt = text.indexOf('.', start)
    const stop = dotAt === -1 ? text.length : dotAt
    const size = writeLabel(text, start, stop, out, end + 1)
    if (size < 1 || size > 63 || end + size + 2 > maxNameBytes) return -1
    out[end] = size
    end += size + 1
    start = stop + 1
  }
  out[end] = 0
  return end + 1
}

/** The labels of a name as text, first label first. */
export function labelsOf(text: string): string[] {
  return text === '' ? [] : text.split('.')
}

/** Lower case, without the trailing dot. */
export function normalName(text: string): string {
  const lower = text.toLowerCase()
  return lower.endsWith('.') ? lower.slice(0, -1) : lower
}

/** True where `name` is `zone` or below it. Both normal. */
export function isWithin(name: string, zone: string): boolean {
  return zone === '' || name === zone || (name.endsWith(zone) && name[name.length - zone.length - 1] === '.')
}

/** One label as text: in one piece, where all of it is plain. */
function textOf(message: Uint8Array, start: number, end: number): string {
  const codes: number[] = []
  for (let i = start; i < end; i++) {
    const byte = message[i]!
    if (byte <= 0x20 || byte >= 0x7f || byte === dot || byte === backslash)
      return Array.from(message.subarray(start, end), characterOf).join('')
    codes.push(byte >= 0x41 && byte <= 0x5a ? byte + 32 : byte)
  }
  return String.fromCharCode(...codes)
}

function characterOf(byte: number): string {
  if (byte >= 0x41 && byte <= 0x5a) return String.fromCharCode(byte + 32)
  if (byte <= 0x20 || byte >= 0x7f || byte === dot || byte === backslash) return `\\${String(byte).padStart(3, '0')}`
  return String.fromCharCode(byte)
}

/** The bytes that one label has, of which what is beyond `out` is not written; -1 where it is none. */
function writeLabel(text: string, start: number, stop: number, out: Uint8Array, at: number): number {
  let size = 0
  for (let i = start; i < stop; i++) {
    let code = text.charCodeAt(i)
    if (code > 0x7e) return -1
    if (code === backslash) {
      const digits = text.slice(i + 1, Math.min(i + 4, stop))
      if (!/^\d{3}$/.test(digits) || Number(digits) > 255) return -1
      code = Number(digits)
      i += 3
    }
    out[at + size++] = code
  }
  return size
}
