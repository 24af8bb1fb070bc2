// Reading DER (ITU X.690), as far as certificate requests need it.

export class DerError extends Error {
  override readonly name = 'DerError'
}

export type DerValue = {
  /** the first byte: class, form and number */
  readonly tag: number
  readonly body: Uint8Array
  /** with tag and length */
  readonly whole: Uint8Array
}

/** The values that stand one after the other in these bytes. Throws DerError. */
export function readDer(bytes: Uint8Array): readonly DerValue[] {
  const values: DerValue[] = []
  for (let at = 0; at < bytes.length;) {
    const [start, end] = boundsOf(bytes, at)
    values.push({ tag: bytes[at]!, body: bytes.subarray(start, end), whole: bytes.subarray(at, end) })
    at = end
  }
  return values
}

/** The values of a structure whose tags are these. Throws DerError. */
export function partsOf(body: Uint8Array, ...tags: readonly number[]): readonly DerValue[] {
  const values = readDer(body)
  if (values.length !== tags.length || values.some(({ tag }, at) => tag !== tags[at]))
    throw new DerError('another structure than expected')
  return values
}

function boundsOf(bytes: Uint8Array, at: number): readonly [number, number] {
  const first = bytes[at + 1] ?? 0x80
  let length = first
  let start = at + 2
  if (first >= 0x80) {
    const size = first & 0x7f
    if (size === 0 || size > 4) throw new DerError('a length that is none')
    length = bytes.subarray(start, start + size).reduce((sum, byte) => sum * 256 + byte, 0)
    start += size
  }
  if (start + length > bytes.length) throw new DerError('cut off')
  return [start, start + length]
}

/** '1.2.840.10045.4.3.2' from the body of an object identifier. */
export function readOid(body: Uint8Array): string {
  const arcs: number[] = []
  let arc = 0
  for (const byte of body) {
    arc = arc * 128 + (byte & 0x7f)
    if (byte >= 0x80) continue
    arcs.push(arc)
    arc = 0
  }
  const [first = 0, ...rest] = arcs
  const root = Math.min(Math.floor(first / 40), 2)
  return [root, first - root * 40, ...rest].join('.')
}
