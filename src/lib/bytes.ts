// Bytes: joined, as hex, written and read in order.

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Lower-case hex. */
export function toHex(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0')
  return text
}

/** The bytes of hex digits, or undefined where the text is none. */
export function fromHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) return undefined
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16))
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}

export const utf8 = (text: string): Uint8Array => encoder.encode(text)
export const fromUtf8 = (bytes: Uint8Array): string => decoder.decode(bytes)

/** Writes numbers, bytes and texts one after the other into a buffer that grows. Big endian unless told otherwise. */
export class Writer {
  readonly #little: boolean
  #bytes: Uint8Array
  #view: DataView
  #length = 0

  constructor({ littleEndian = false, capacity = 64 }: { littleEndian?: boolean; capacity?: number } = {}) {
    this.#little = littleEndian
    this.#bytes = new Uint8Array(capacity)
    this.#view = new DataView(this.#bytes.buffer)
  }

  get length(): number {
    return this.#length
  }
  u8(value: number): this {
    const at = this.#grow(1)
    this.#view.setUint8(at, value)
    return this
  }
  u16(value: number): this {
    const at = this.#grow(2)
    this.#view.setUint16(at, value, this.#little)
    return this
  }
  u32(value: number): this {
    const at = this.#grow(4)
    this.#view.setUint32(at, value, this.#little)
    return this
  }
  u64(value: bigint): this {
    const at = this.#grow(8)
    this.#view.setBigUint64(at, value, this.#little)
    return this
  }
  bytes(bytes: Uint8Array): this {
    const at = this.#grow(bytes.length)
    this.#bytes.set(bytes, at)
    return this
  }
  text(text: string): this {
    return this.bytes(encoder.encode(text))
  }
  zeros(count: number): this {
    const at = this.#grow(count)
    this.#bytes.fill(0, at, this.#length)
    return this
  }
  /** Zeros up to a multiple of `size`. */
  align(size: number): this {
    return this.zeros((size - (this.#length % size)) % size)
  }
  /** Writes over what stands at `at`, as a length that is known only afterwards. */
  patchU16(at: number, value: number): void {
    this.#view.setUint16(at, value, this.#little)
  }
  patchU32(at: number, value: number): void {
    this.#view.setUint32(at, value, this.#little)
  }
  /** What was written so far; a view, valid until the next write. */
  done(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }
  clear(): void {
    this.#length = 0
  }

  /** Answers where `count` more bytes go. Call it before touching #bytes or #view: it may replace them. */
  #grow(count: number): number {
    const at = this.#length
    this.#length += count
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#length, this.#bytes.length * 2))
      larger.set(this.#bytes.subarray(0, at))
      this.#bytes = larger
      this.#view = new DataView(larger.buffer)
    }
    return at
  }
}

/** Reads numbers, bytes and texts one after the other; RangeError at the end. Big endian unless told otherwise. */
export class Reader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #little: boolean
  #at = 0

  constructor(bytes: Uint8Array, { littleEndian = false }: { littleEndian?: boolean } = {}) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#little = littleEndian
  }

  get at(): number {
    return this.#at
  }
  get left(): number {
    return this.#bytes.length - this.#at
  }
  u8(): number {
    return this.#view.getUint8(this.#take(1))
  }
  u16(): number {
    return this.#view.getUint16(this.#take(2), this.#little)
  }
  u32(): number {
    return this.#view.getUint32(this.#take(4), this.#little)
  }
  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), this.#little)
  }
  /** A view of the next bytes, not a copy. */
  bytes(count: number): Uint8Array {
    const at = this.#take(count)
    return this.#bytes.subarray(at, at + count)
  }
  text(count: number): string {
    return decoder.decode(this.bytes(count))
  }
  skip(count: number): void {
    this.#take(count)
  }

  #take(count: number): number {
    const at = this.#at
    if (count < 0 || count > this.left) throw new RangeError(`${count} bytes wanted, ${this.left} left`)
    this.#at += count
    return at
  }
}
