// The question of a plain query, read where it stands: without a string, without an object. Most queries are plain, and
// most of those are answered by what was answered before.

import type { Query, QueryEdns } from '#dns/query.ts'
import { decodeName, maxNameBytes } from '#dns/wire/name.ts'
import { classIn, recordTypes } from '#dns/wire/record.ts'

const headerBytes = 12
/** An OPT record without options. */
const optBytes = 11

/** Holds one query after the other; what it hands out stands until the next `read`. */
export class PlainQuery implements Query {
  /** what the answer depends on: the name in lower case as on the wire, the type, whether DNSSEC records are wanted */
  readonly key = new Uint8Array(maxNameBytes + 3)
  keyLength = 0
  hash = 0
  questionEnd = 0
  type = 0
  readonly class = classIn
  edns: QueryEdns | undefined
  readonly #edns = { udpSize: 0, version: 0, dnssecOk: false }
  readonly #seed: number

  /** `seed`: a number that clients cannot know, so that they cannot make keys of one hash. */
  constructor(seed: number) {
    this.#seed = seed | 0
  }

  get name(): string {
    return decodeName(this.key, 0, this.keyLength)!.text
  }

  /** Reads the query in the first `length` bytes; false where it is none, or more than one question and a bare OPT. */
  read(request: Uint8Array, length: number): boolean {
    const isPlain =
      length > headerBytes + 4 &&
      (request[2]! & 0xf8) === 0 &&
      request[5] === 1 &&
      request[11]! <= 1 &&
      (request[4]! | request[6]! | request[7]! | request[8]! | request[9]! | request[10]!) === 0
    if (!isPlain) return false
    const end = this.#readName(request, length)
    if (end === -1 || ((request[end + 2]! << 8) | request[end + 3]!) !== classIn) return false
    this.type = (request[end]! << 8) | request[end + 1]!
    this.questionEnd = end + 4
    if (!this.#readOpt(request, length)) return false
    const at = end - headerBytes
    this.key[at] = request[end]!
    this.key[at + 1] = request[end + 1]!
    this.key[at + 2] = this.edns?.dnssecOk === true ? 1 : 0
    this.keyLength = at + 3
    for (let i = at; i < at + 3; i++) this.hash = step(this.hash, this.key[i]!)
    this.hash ^= this.hash >>> 15
    return true
  }

  /** Where the name ends, -1 where there is none or it has no room for type and class behind it. */
  #readName(request: Uint8Array, length: number): number {
    const { key } = this
    let hash = this.#seed
    for (let at = headerBytes; ;) {
      const size = request[at]!
      const end = at + 1 + size
      if (size > 63 || end - headerBytes > maxNameBytes || end + 4 > length) return -1
      key[at - headerBytes] = size
      hash = step(hash, size)
      if (size === 0) {
        this.hash = hash
        return end
      }
      for (at++; at < end; at++) {
        const byte = request[at]!
        const lower = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte
        key[at - headerBytes] = lower
        hash = step(hash, lower)
      }
    }
  }

  #readOpt(request: Uint8Array, length: number): boolean {
    const at = this.questionEnd
    if (request[11] === 0) {
      this.edns = undefined
      return length === at
    }
    // Root name, type 41, any size, no extended code, version 0, no flag but DO, no options.
    const isBare =
      length === at + optBytes &&
      ((request[at]! << 16) | (request[at + 1]! << 8) | request[at + 2]!) === recordTypes.OPT &&
      (request[at + 5]! | request[at + 6]! | (request[at + 7]! & 0x7f)) === 0 &&
      (request[at + 8]! | request[at + 9]! | request[at + 10]!) === 0
    if (!isBare) return false
    this.#edns.udpSize = (request[at + 3]! << 8) | request[at + 4]!
    this.#edns.dnssecOk = request[at + 7]! !== 0
    this.edns = this.#edns
    return true
  }
}

/** FNV-1a. */
const step = (hash: number, byte: number) => Math.imul(hash ^ byte, 0x01000193)
