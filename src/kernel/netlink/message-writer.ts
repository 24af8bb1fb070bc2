// Builds netlink messages into one growing buffer: header, fixed family header, attributes, nested attributes.
// Layout: linux/netlink.h. Integers are in the machine's order, which is little-endian wherever Fairway runs; what
// travels in network order (addresses, ports) has its own functions.

export const NLM_F = {
  request: 0x1,
  multi: 0x2,
  ack: 0x4,
  echo: 0x8,
  root: 0x100,
  match: 0x200,
  dump: 0x300,
  replace: 0x100,
  exclusive: 0x200,
  create: 0x400,
  append: 0x800,
} as const

/** Attribute flag: its payload is attributes. */
export const NESTED = 0x8000
const HEADER = 16
const encoder = new TextEncoder()

export class MessageWriter {
  #bytes: Uint8Array<ArrayBuffer>
  #view: DataView
  #length = 0
  #message = 0

  constructor(capacity = 512) {
    this.#bytes = new Uint8Array(capacity)
    this.#view = new DataView(this.#bytes.buffer)
  }

  /** What has been written so far; valid until the next write. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  get length(): number {
    return this.#length
  }

  /** Forgets everything; keeps the memory, but no more than `most` bytes. */
  reset(most = Number.POSITIVE_INFINITY): void {
    this.#length = 0
    if (this.#bytes.length > most) this.#resize(most)
  }

  /** Makes room at once for that much more, so that nothing is copied on the way there. */
  reserve(bytes: number): void {
    this.#grow(bytes)
  }

  /** Starts a message; `end` closes it. */
  begin(type: number, flags: number, sequence = 0): this {
    this.#align()
    this.#grow(HEADER)
    const at = this.#length
    this.#message = at
    this.#view.setUint16(at + 4, type, true)
    this.#view.setUint16(at + 6, flags, true)
    this.#view.setUint32(at + 8, sequence, true)
    this.#view.setUint32(at + 12, 0, true)
    this.#length = at + HEADER
    return this
  }

  end(): this {
    this.#view.setUint32(this.#message, this.#length - this.#message, true)
    this.#align()
    return this
  }

  /** Adds flags to the message that was begun last. */
  addFlags(flags: number): this {
    const at = this.#message + 6
    this.#view.setUint16(at, this.#view.getUint16(at, true) | flags, true)
    return this
  }

  // The fixed header of the family and payloads made of plain numbers.
  u8(value: number): this {
    this.#grow(1)
    this.#bytes[this.#length++] = value
    return this
  }
  u16(value: number): this {
    this.#grow(2)
    this.#view.setUint16(this.#length, value, true)
    this.#length += 2
    return this
  }
  u32(value: number): this {
    this.#grow(4)
    this.#view.setUint32(this.#length, value, true)
    this.#length += 4
    return this
  }
  u16be(value: number): this {
    this.#grow(2)
    this.#view.setUint16(this.#length, value, false)
    this.#length += 2
    return this
  }
  u32be(value: number): this {
    this.#grow(4)
    this.#view.setUint32(this.#length, value, false)
    this.#length += 4
    return this
  }
  raw(bytes: Uint8Array): this {
    this.#grow(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
    return this
  }

  attribute(type: number, payload: Uint8Array): this {
    this.#open(type, payload.length)
    return this.raw(payload).#pad()
  }
  attributeFlag(type: number): this {
    this.#open(type, 0)
    return this
  }
  attributeU8(type: number, value: number): this {
    this.#open(type, 1)
    return this.u8(value).#pad()
  }
  attributeU16(type: number, value: number): this {
    this.#open(type, 2)
    return this.u16(value).#pad()
  }
  attributeU16be(type: number, value: number): this {
    this.#open(type, 2)
    return this.u16be(value).#pad()
  }
  attributeU32(type: number, value: number): this {
    this.#open(type, 4)
    return this.u32(value)
  }
  attributeU32be(type: number, value: number): this {
    this.#open(type, 4)
    return this.u32be(value)
  }
  attributeU64be(type: number, value: bigint): this {
    this.#open(type, 8)
    this.#grow(8)
    this.#view.setBigUint64(this.#length, value, false)
    this.#length += 8
    return this
  }
  /** A string with the NUL that the kernel wants behind it. */
  attributeText(type: number, text: string): this {
    const bytes = encoder.encode(text)
    this.#open(type, bytes.length + 1)
    return this.raw(bytes).u8(0).#pad()
  }

  /** Attributes inside an attribute. `flag` is 0 for the families that know no NLA_F_NESTED. */
  nest(type: number, inside: () => void, flag: number = NESTED): this {
    const at = this.openNest(type, flag)
    inside()
    return this.closeNest(at)
  }

  /** As `nest`, for loops that must not make a closure per element; `closeNest` takes what this answered. */
  openNest(type: number, flag: number = NESTED): number {
    const at = this.#length
    this.#open(type | flag, 0)
    return at
  }
  closeNest(at: number): this {
    this.#view.setUint16(at, this.#length - at, true)
    return this
  }

  #open(type: number, length: number): void {
    this.#grow(4)
    this.#view.setUint16(this.#length, length + 4, true)
    this.#view.setUint16(this.#length + 2, type, true)
    this.#length += 4
  }

  #pad(): this {
    this.#align()
    return this
  }

  #align(): void {
    while (this.#length % 4 !== 0) this.u8(0)
  }

  #grow(by: number): void {
    const needed = this.#length + by
    if (needed <= this.#bytes.length) return
    this.#resize(Math.max(needed, this.#bytes.length * 2))
  }

  /** The old memory is free at once: a batch may be large, and the garbage collector late. */
  #resize(capacity: number): void {
    const buffer = this.#bytes.buffer.transfer(capacity)
    this.#bytes = new Uint8Array(buffer)
    this.#view = new DataView(buffer)
  }
}
