// Writes messages, names compressed (RFC 1035 section 4.1.4). A writer makes one message after the other in the same
// bytes and remembers names by where they stand, so that rendering an answer leaves next to nothing to collect.

import { maxNameBytes, writeName } from '#dns/wire/name.ts'

/** Beyond this a compression pointer does not reach. */
const reach = 0x4000
const usualBytes = 1024
const usualSlots = 256

/** A name on its way into a message, with the start of each label and the hash of the name from there on. */
const wire = new Uint8Array(maxNameBytes)
const starts = new Uint8Array(maxNameBytes)
const hashes = new Int32Array(maxNameBytes)

export class MessageWriter {
  /** the message so far is the first `length` of them; another array after each growth */
  bytes = new Uint8Array(usualBytes)
  length = 0
  /** where names stand that pointers may lead to, by hash, open addressing; 0: none, for there is the header */
  #places = new Uint16Array(usualSlots)
  #hashes = new Int32Array(usualSlots)
  #names = 0

  /** Begins a message with room for what stands before its first name. */
  start(headerBytes: number): this {
    if (this.bytes.length > 64 * usualBytes) this.bytes = new Uint8Array(usualBytes)
    if (this.#places.length > usualSlots) this.#resize(usualSlots)
    else this.#places.fill(0)
    this.#names = 0
    this.length = headerBytes
    return this
  }

  uint16(value: number): void {
    this.#room(2)
    this.bytes[this.length++] = value >> 8
    this.bytes[this.length++] = value
  }

  uint32(value: number): void {
    this.uint16(value >>> 16)
    this.uint16(value)
  }

  raw(value: Uint8Array): void {
    this.#room(value.length)
    this.bytes.set(value, this.length)
    this.length += value.length
  }

  patch16(at: number, value: number): void {
    this.bytes[at] = value >> 8
    this.bytes[at + 1] = value
  }

  /** A name, what is known of its end as a pointer unless `compress` is false. Text that is no name throws: the caller made it. */
  name(text: string, compress = true): void {
    const size = writeName(text, wire)
    if (size === -1) throw new Error(`not a domain name: ${JSON.stringify(text)}`)
    const labels = hashLabels()
    this.#room(size)
    for (let i = 0; i < labels; i++) {
      const start = starts[i]!
      const slot = this.#slotOf(hashes[i]!, start)
      const place = this.#places[slot]!
      if (place !== 0 && compress) return this.uint16(0xc000 | place)
      if (place === 0 && this.length < reach) this.#learn(slot, hashes[i]!)
      const next = start + wire[start]! + 1
      for (let at = start; at < next; at++) this.bytes[this.length++] = wire[at]!
    }
    this.bytes[this.length++] = 0
  }

  #room(bytes: number): void {
    if (this.length + bytes <= this.bytes.length) return
    const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.length + bytes))
    larger.set(this.bytes)
    this.bytes = larger
  }

  #slotOf(hash: number, start: number): number {
    const mask = this.#places.length - 1
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const place = this.#places[slot]!
      if (place === 0 || (this.#hashes[slot] === hash && this.#isAt(place, start))) return slot
    }
  }

  /** Whether the name in `wire` from `start` on stands at `place`. */
  #isAt(place: number, start: number): boolean {
    const { bytes } = this
    for (let [at, i] = [place, start]; ; at++, i++) {
      while (bytes[at]! >= 0xc0) at = ((bytes[at]! & 0x3f) << 8) | bytes[at + 1]!
      const size = wire[i]!
      if (bytes[at] !== size) return false
      if (size === 0) return true
      for (const end = i + size; i < end;) if (bytes[++at] !== wire[++i]) return false
    }
  }

  #learn(slot: number, hash: number): void {
    this.#places[slot] = this.length
    this.#hashes[slot] = hash
    if (++this.#names * 2 > this.#places.length) this.#resize(this.#places.length * 2)
  }

  #resize(slots: number): void {
    const [places, hashesBefore] = [this.#places, this.#hashes]
    this.#places = new Uint16Array(slots)
    this.#hashes = new Int32Array(slots)
    if (slots < places.length) return
    for (const [from, place] of places.entries()) {
      if (place === 0) continue
      let slot = hashesBefore[from]! & (slots - 1)
      while (this.#places[slot] !== 0) slot = (slot + 1) & (slots - 1)
      this.#places[slot] = place
      this.#hashes[slot] = hashesBefore[from]!
    }
  }
}

/** Fills `starts` and `hashes` for the name in `wire`; how many labels it has. */
function hashLabels(): number {
  let labels = 0
  for (let at = 0; wire[at] !== 0; at += wire[at]! + 1) starts[labels++] = at
  let hash = 0x811c9dc5 | 0
  for (let i = labels - 1; i >= 0; i--) {
    const start = starts[i]!
    for (let at = start; at <= start + wire[start]!; at++) hash = Math.imul(hash ^ wire[at]!, 0x01000193)
    hashes[i] = hash ^ (hash >>> 15)
  }
  return labels
}
