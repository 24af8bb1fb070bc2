// The wire format of protocol buffers: tags, variable-length integers and length-delimited values.

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export const varintType = 0
export const fixed64Type = 1
export const bytesType = 2
const startGroupType = 3
const endGroupType = 4
const fixed32Type = 5

/** The bytes are no message. */
export class WireError extends Error {}

/** Reads the fields of one message. Throws WireError. */
export class WireReader {
  readonly #bytes: Uint8Array
  #at: number
  readonly #end: number
  /** of the field that `next` came to */
  field = 0
  type = 0

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.#bytes = bytes
    this.#at = at
    this.#end = end
  }

  /** Goes to the next field; false at the end. Its value must then be read or skipped. */
  next(): boolean {
    if (this.#at >= this.#end) return false
    const tag = this.integer()
    this.field = Math.floor(tag / 8)
    this.type = tag % 8
    if (tag < 8 || tag > 0xffffffff) throw new WireError(`proto: illegal tag ${this.field} (wire type ${this.type})`)
    return true
  }

  /** Whether bytes are left: for lists of numbers that are packed into one value. */
  get hasMore(): boolean {
    return this.#at < this.#end
  }

  /** A varint as a signed 64-bit integer, as near as a number comes to it. */
  integer(): number {
    let low = 0
    let high = 0
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#byte()
      const bits = byte & 0x7f
      if (shift < 28) low |= bits << shift
      else if (shift === 28) {
        low |= bits << 28
        high = bits >>> 4
      } else high |= bits << (shift - 32)
      if (byte < 0x80) return (high | 0) * 4294967296 + (low >>> 0)
    }
    throw new WireError('proto: integer overflow')
  }

  double(): number {
    return new DataView(this.#take(8).slice().buffer).getFloat64(0, true)
  }

  /** The bytes themselves, not a copy. */
  bytes(): Uint8Array {
    return this.#take(this.integer())
  }

  text(): string {
    return decoder.decode(this.bytes())
  }

  /** A reader of the message that stands here. */
  message(): WireReader {
    const length = this.integer()
    if (length < 0 || length > this.#end - this.#at) throw new WireError('unexpected EOF')
    const reader = new WireReader(this.#bytes, this.#at, this.#at + length)
    this.#at += length
    return reader
  }

  skip(): void {
    switch (this.type) {
      case varintType:
        this.integer()
        return
      case fixed64Type:
        this.#take(8)
        return
      case bytesType:
        this.bytes()
        return
      case fixed32Type:
        this.#take(4)
        return
      case startGroupType:
        this.#skipGroup()
        return
      default:
        throw new WireError(`proto: illegal wireType ${this.type}`)
    }
  }

  #skipGroup(): void {
    for (let depth = 1; depth > 0;) {
      if (!this.next()) throw new WireError('unexpected EOF')
      if (this.type === startGroupType) depth++
      else if (this.type === endGroupType) depth--
      else this.skip()
    }
  }

  #byte(): number {
    if (this.#at >= this.#end) throw new WireError('unexpected EOF')
    return this.#bytes[this.#at++]!
  }

  #take(count: number): Uint8Array {
    if (count < 0 || count > this.#end - this.#at) throw new WireError('unexpected EOF')
    const bytes = this.#bytes.subarray(this.#at, this.#at + count)
    this.#at += count
    return bytes
  }
}

/** Writes the fields of messages. */
export class WireWriter {
  #bytes = new Uint8Array(256)
  #length = 0

  done(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }

  integerField(field: number, value: number): void {
    this.#varint(field * 8 + varintType)
    this.#varint(value)
  }

  doubleField(field: number, value: number): void {
    this.#varint(field * 8 + fixed64Type)
    this.#grow(8)
    new DataView(this.#bytes.buffer).setFloat64(this.#length, value, true)
    this.#length += 8
  }

  bytesField(field: number, value: Uint8Array): void {
    this.#varint(field * 8 + bytesType)
    this.#varint(value.length)
    this.#grow(value.length)
    this.#bytes.set(value, this.#length)
    this.#length += value.length
  }

  textField(field: number, value: string): void {
    this.bytesField(field, encoder.encode(value))
  }

  /** A message whose fields `write` writes. */
  messageField(field: number, write: (writer: WireWriter) => void): void {
    this.#varint(field * 8 + bytesType)
    const start = this.#length
    write(this)
    // Its length stands before it, and takes as many bytes as it needs.
    const length = this.#length - start
    const size = sizeOfVarint(length)
    this.#grow(size)
    this.#bytes.copyWithin(start + size, start, this.#length)
    this.#length = start
    this.#varint(length)
    this.#length = start + size + length
  }

  /** Negative numbers take ten bytes, as protocol buffers have it for int32 and int64. */
  #varint(value: number): void {
    this.#grow(10)
    let high = Math.floor(value / 4294967296)
    let low = value >>> 0
    while (high !== 0 || low > 0x7f) {
      this.#bytes[this.#length++] = (low & 0x7f) | 0x80
      low = ((low >>> 7) | (high << 25)) >>> 0
      high >>>= 7
    }
    this.#bytes[this.#length++] = low
  }

  #grow(count: number): void {
    if (this.#length + count <= this.#bytes.length) return
    const larger = new Uint8Array(Math.max(this.#length + count, this.#bytes.length * 2))
    larger.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = larger
  }
}

function sizeOfVarint(value: number): number {
  let size = 1
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 128)) size++
  return size
}
