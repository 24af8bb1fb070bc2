// Answers as they were rendered, under their questions. All of them lie in pages of bytes, found by a table of numbers:
// 150,000 names cost the collector of garbage nothing, and about 130 bytes each.

import type { Body } from '#dns/reply.ts'
import type { Basis } from '#dns/resolver.ts'
import type { PlainQuery } from '#dns/serve/plain-query.ts'

/** Who has answered: `zone` of the server block (`cluster.local.`, `.`) and plugin, as in CoreDNS's metrics. */
export type Origin = { readonly zone: string; readonly plugin: string }
export type KeptAnswer = Body & { readonly origin: Origin }

/** A reference counts 8 bytes, so many to a page. */
const refBits = 15
const pageBytes = 8 << refBits
/** Larger answers are rendered each time. */
const mostBody = 0xffff
/** Bytes before an entry's key: the fields below. */
const headBytes = 48
/** Fields of 32 bits. `next` is the next entry of the same bucket of Services. */
const word = { hash: 0, next: 1, service: 2, bodyLength: 3 } as const
/** Fields of 16 bits. */
const short = { keyLength: 8, answers: 9, authorities: 10, additionals: 11, origin: 12, flags: 13, code: 14 } as const
/** Fields of 64 bits: milliseconds of the responder's clock. */
const time = { until: 4, agedFrom: 5 } as const
const flag = { authoritative: 1, shuffled: 2 } as const

class Page {
  readonly bytes = new Uint8Array(pageBytes)
  readonly words = new Int32Array(this.bytes.buffer)
  readonly shorts = new Uint16Array(this.bytes.buffer)
  readonly times = new Float64Array(this.bytes.buffer)
  used = 0
  live = 0
}

export class AnswerStore {
  readonly #mostPages: number
  /** where each entry is, in units of 8 bytes from 1 on; by hash, open addressing */
  #table = new Uint32Array(1024)
  /** the first entry of each bucket of Services */
  #buckets = new Uint32Array(1024)
  #count = 0
  #pages: (Page | undefined)[] = []
  #current = -1
  #origins: Origin[] = []
  readonly #found = {
    rcode: 0,
    authoritative: false,
    bytes: new Uint8Array(0),
    start: 0,
    end: 0,
    counts: [0, 0, 0] as [number, number, number],
    shuffled: false,
    age: 0,
    origin: { zone: '', plugin: '' } as Origin,
  }

  /** `mostBytes`: when they are full, everything is forgotten, to be rendered again when it is asked for. */
  constructor(mostBytes: number) {
    this.#mostPages = Math.max(1, Math.floor(mostBytes / pageBytes))
  }

  /** How many answers are kept. */
  get size(): number {
    return this.#count
  }

  /** The answer to this question, where it is kept and may still be given. It stands until the next call. */
  find(query: PlainQuery, nowMs: number): KeptAnswer | undefined {
    if (this.#count === 0) return undefined
    const slot = this.#slotOf(query)
    const ref = this.#table[slot]!
    if (ref === 0) return undefined
    const page = this.#pageOf(ref)
    const at = offsetOf(ref)
    if (page.times[(at >> 3) + time.until]! <= nowMs) {
      this.#remove(slot)
      return undefined
    }
    const found = this.#found
    const shorts = at >> 1
    const flags = page.shorts[shorts + short.flags]!
    const agedFrom = page.times[(at >> 3) + time.agedFrom]!
    found.rcode = page.shorts[shorts + short.code]!
    found.authoritative = (flags & flag.authoritative) !== 0
    found.shuffled = (flags & flag.shuffled) !== 0
    found.bytes = page.bytes
    found.start = at + headBytes + page.shorts[shorts + short.keyLength]!
    found.end = found.start + page.words[(at >> 2) + word.bodyLength]!
    found.counts[0] = page.shorts[shorts + short.answers]!
    found.counts[1] = page.shorts[shorts + short.authorities]!
    found.counts[2] = page.shorts[shorts + short.additionals]!
    found.age = agedFrom === Infinity ? 0 : Math.floor((nowMs - agedFrom) / 1000)
    found.origin = this.#origins[page.shorts[shorts + short.origin]!]!
    return found
  }

  keep(query: PlainQuery, body: Body, basis: Basis, origin: Origin, nowMs: number): void {
    const length = body.end - body.start
    if (length > mostBody) return
    const known = this.#slotOf(query)
    if (this.#table[known] !== 0) this.#remove(known)
    if ((this.#count + 1) * 2 > this.#table.length) this.#grow()
    const ref = this.#allot(sizeOf(query.keyLength + length))
    const page = this.#pageOf(ref)
    const at = offsetOf(ref)
    const [words, shorts, times] = [at >> 2, at >> 1, at >> 3]
    page.words[words + word.hash] = query.hash
    page.words[words + word.bodyLength] = length
    page.shorts[shorts + short.keyLength] = query.keyLength
    page.shorts[shorts + short.answers] = body.counts[0]
    page.shorts[shorts + short.authorities] = body.counts[1]
    page.shorts[shorts + short.additionals] = body.counts[2]
    page.shorts[shorts + short.code] = body.rcode
    page.shorts[shorts + short.origin] = this.#numberOf(origin)
    page.shorts[shorts + short.flags] =
      (body.authoritative ? flag.authoritative : 0) | (body.shuffled ? flag.shuffled : 0)
    const isTimed = 'forMs' in basis
    page.times[times + time.until] = isTimed ? nowMs + basis.forMs : Infinity
    page.times[times + time.agedFrom] = isTimed && basis.agedMs !== undefined ? nowMs - basis.agedMs : Infinity
    page.bytes.set(query.key.subarray(0, query.keyLength), at + headBytes)
    page.bytes.set(body.bytes.subarray(body.start, body.end), at + headBytes + query.keyLength)
    this.#link(ref, isTimed ? '' : basis.service)
    this.#count++
    this.#table[this.#slotOf(query)] = ref
  }

  /** Forgets what rests on these Services; `namespace/` stands for all of a namespace. */
  forget(serviceKeys: Iterable<string>): void {
    for (const key of serviceKeys) {
      if (key.endsWith('/')) return this.clear()
      // Whoever has the same hash goes too: it will be rendered again.
      const hash = hashOf(key)
      const bucket = hash & (this.#buckets.length - 1)
      for (let ref = this.#buckets[bucket]!; ref !== 0;) {
        const { words } = this.#pageOf(ref)
        const at = offsetOf(ref) >> 2
        const next = words[at + word.next]! >>> 0
        if (words[at + word.service] === hash) this.#remove(this.#slotAt(ref))
        ref = next
      }
    }
  }

  clear(): void {
    this.#table = new Uint32Array(1024)
    this.#buckets = new Uint32Array(1024)
    this.#count = 0
    this.#pages = []
    this.#current = -1
    this.#origins = []
  }

  #pageOf(ref: number): Page {
    return this.#pages[(ref - 1) >>> refBits]!
  }

  /** Where the question is, or the empty place where it belongs. */
  #slotOf(query: PlainQuery): number {
    const mask = this.#table.length - 1
    for (let slot = query.hash & mask; ; slot = (slot + 1) & mask) {
      const ref = this.#table[slot]!
      if (ref === 0 || this.#is(ref, query)) return slot
    }
  }

  #is(ref: number, { hash, key, keyLength }: PlainQuery): boolean {
    const page = this.#pageOf(ref)
    const at = offsetOf(ref)
    if (page.words[(at >> 2) + word.hash] !== hash || page.shorts[(at >> 1) + short.keyLength] !== keyLength)
      return false
    const { bytes } = page
    for (let i = 0, from = at + headBytes; i < keyLength; i++) if (bytes[from + i] !== key[i]) return false
    return true
  }

  #slotAt(ref: number): number {
    const mask = this.#table.length - 1
    for (let slot = this.#hashAt(ref) & mask; ; slot = (slot + 1) & mask) if (this.#table[slot] === ref) return slot
  }

  #hashAt(ref: number): number {
    return this.#pageOf(ref).words[(offsetOf(ref) >> 2) + word.hash]!
  }

  #remove(slot: number): void {
    const ref = this.#table[slot]!
    this.#unlink(ref)
    const page = this.#pageOf(ref)
    const at = offsetOf(ref)
    page.live -= sizeOf(page.shorts[(at >> 1) + short.keyLength]! + page.words[(at >> 2) + word.bodyLength]!)
    const index = (ref - 1) >>> refBits
    if (page.live === 0 && index !== this.#current) this.#pages[index] = undefined
    this.#count--
    // Whoever stands behind the hole, and could not have a place before it, moves up.
    const mask = this.#table.length - 1
    let hole = slot
    for (let next = (slot + 1) & mask; this.#table[next] !== 0; next = (next + 1) & mask) {
      const home = this.#hashAt(this.#table[next]!) & mask
      if (((next - home) & mask) < ((next - hole) & mask)) continue
      this.#table[hole] = this.#table[next]!
      hole = next
    }
    this.#table[hole] = 0
  }

  /** Room for one entry; everything else may be forgotten for it. */
  #allot(size: number): number {
    let page = this.#pages[this.#current]
    if (page?.live === 0) page.used = 0
    if (page === undefined || page.used + size > pageBytes) {
      let free = this.#pages.indexOf(undefined)
      if (free === -1) free = this.#pages.length
      if (free === this.#mostPages) {
        this.clear()
        free = 0
      }
      page = new Page()
      this.#pages[free] = page
      this.#current = free
    }
    const at = page.used
    page.used += size
    page.live += size
    return (this.#current << refBits) + (at >> 3) + 1
  }

  #link(ref: number, service: string): void {
    const { words } = this.#pageOf(ref)
    const at = offsetOf(ref) >> 2
    words[at + word.next] = 0
    words[at + word.service] = 0
    if (service === '') return
    const hash = hashOf(service)
    const bucket = hash & (this.#buckets.length - 1)
    words[at + word.service] = hash
    words[at + word.next] = this.#buckets[bucket]!
    this.#buckets[bucket] = ref
  }

  #unlink(ref: number): void {
    const { words } = this.#pageOf(ref)
    const at = offsetOf(ref) >> 2
    if (words[at + word.service] === 0) return
    const after = words[at + word.next]! >>> 0
    const bucket = words[at + word.service]! & (this.#buckets.length - 1)
    if (this.#buckets[bucket] === ref) {
      this.#buckets[bucket] = after
      return
    }
    for (let before = this.#buckets[bucket]!; before !== 0;) {
      const place = this.#pageOf(before).words
      const next = (offsetOf(before) >> 2) + word.next
      before = place[next]! >>> 0
      if (before === ref) place[next] = after
    }
  }

  #grow(): void {
    const refs = this.#table.filter((ref) => ref !== 0)
    this.#table = new Uint32Array(this.#table.length * 2)
    this.#buckets = new Uint32Array(this.#table.length)
    const mask = this.#table.length - 1
    for (const ref of refs) {
      let slot = this.#hashAt(ref) & mask
      while (this.#table[slot] !== 0) slot = (slot + 1) & mask
      this.#table[slot] = ref
    }
    for (const ref of refs) this.#relink(ref)
  }

  #relink(ref: number): void {
    const { words } = this.#pageOf(ref)
    const at = offsetOf(ref) >> 2
    const hash = words[at + word.service]!
    if (hash === 0) return
    const bucket = hash & (this.#buckets.length - 1)
    words[at + word.next] = this.#buckets[bucket]!
    this.#buckets[bucket] = ref
  }

  #numberOf(origin: Origin): number {
    const known = this.#origins.findIndex(({ zone, plugin }) => zone === origin.zone && plugin === origin.plugin)
    return known === -1 ? this.#origins.push(origin) - 1 : known
  }
}

const offsetOf = (ref: number): number => ((ref - 1) & ((1 << refBits) - 1)) << 3
const sizeOf = (keyAndBody: number): number => (headBytes + keyAndBody + 7) & ~7

/** FNV-1a of the characters; never 0. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5 | 0
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash === 0 ? 1 : hash
}
