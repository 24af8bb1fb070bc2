// Answers of upstreams, kept for their time to live. Never in front of the cluster's own zone: a name there that
// becomes ready is visible at once.

import type { CacheConfig, CacheSide } from '#dns/corefile/config.ts'
import type { Reply, TimeBasis } from '#dns/resolver.ts'
import { isWithin } from '#dns/wire/name.ts'
import { rcodes } from '#dns/wire/message.ts'
import type { ResourceRecord } from '#dns/wire/record.ts'

type Entry = {
  readonly reply: Reply
  readonly storedMs: number
  readonly ttlMs: number
  /** how often it was asked for, since `countedMs`: what is asked often is fetched again before it ends */
  hits: number
  countedMs: number
}

export type CacheHit = {
  /** times to live counted down to now; 0 for a stale answer */
  readonly reply: Reply
  /** ask upstream again meanwhile: it is stale, or often asked for and soon to end */
  readonly refresh: boolean
  /** it may be given again without asking here; where hits are counted or it is stale, it may not */
  readonly basis?: TimeBasis
}

/** Holds answers by question; times are milliseconds of one clock. The oldest go when a side is full. */
export class AnswerCache {
  readonly #config: CacheConfig
  readonly #success = new Map<string, Entry>()
  readonly #denial = new Map<string, Entry>()

  constructor(config: CacheConfig) {
    this.#config = config
  }

  get size(): { readonly success: number; readonly denial: number } {
    return { success: this.#success.size, denial: this.#denial.size }
  }

  get(key: string, nowMs: number): CacheHit | undefined {
    for (const side of [this.#success, this.#denial]) {
      const entry = side.get(key)
      if (entry === undefined) continue
      const leftMs = entry.storedMs + entry.ttlMs - nowMs
      if (leftMs <= -this.#config.serveStaleMs) {
        side.delete(key)
        continue
      }
      const { keepTtl, prefetch } = this.#config
      const ageMs = keepTtl ? 0 : nowMs - entry.storedMs
      const basis = { forMs: leftMs, agedMs: keepTtl ? undefined : ageMs % 1000 }
      return {
        reply: withTtls(entry.reply, (ttl) => Math.max(0, ttl - Math.floor(ageMs / 1000))),
        refresh: leftMs <= 0 || this.#isPopular(entry, leftMs, nowMs),
        ...(leftMs > 0 && !prefetch ? { basis } : {}),
      }
    }
    return undefined
  }

  #isPopular(entry: Entry, leftMs: number, nowMs: number): boolean {
    const { prefetch } = this.#config
    if (prefetch === undefined || prefetch.amount === 0) return false
    if (nowMs - entry.countedMs > prefetch.durationMs) {
      entry.hits = 0
      entry.countedMs = nowMs
    }
    entry.hits++
    return entry.hits >= prefetch.amount && leftMs <= (entry.ttlMs * prefetch.percentage) / 100
  }

  /** Keeps the answer where it may, and hands back what clients are told: that it lives as long as it is kept, as CoreDNS has it. */
  put(key: string, name: string, reply: Reply, nowMs: number): Reply {
    const kept = this.#sideFor(name, reply)
    if (kept === undefined || kept.ttlMs <= 0) return reply
    const { side, other, limits, ttlMs } = kept
    const told = withTtls(reply, () => ttlMs / 1000)
    other.delete(key)
    side.delete(key)
    if (side.size >= limits.capacity) {
      const [oldest] = side.keys()
      if (oldest !== undefined) side.delete(oldest)
    }
    side.set(key, { reply: told, storedMs: nowMs, ttlMs, hits: 0, countedMs: nowMs })
    return told
  }

  #sideFor(name: string, reply: Reply) {
    const config = this.#config
    if (!config.zones.some((zone) => isWithin(name, zone))) return undefined
    const off = (zones: readonly string[]) => zones.some((zone) => isWithin(name, zone))
    const [success, denial] = [this.#success, this.#denial]
    if (reply.rcode === rcodes.SERVFAIL)
      return config.servfailMs > 0
        ? { side: denial, other: success, limits: config.denial, ttlMs: config.servfailMs }
        : undefined
    const hasAnswers = (reply.answers?.length ?? 0) > 0
    if (reply.rcode === rcodes.NOERROR && hasAnswers) {
      if (off(config.disableSuccess)) return undefined
      const { answers = [], authorities = [], additionals = [] } = reply
      const ttl = Math.min(...[answers, authorities, additionals].flat().map((record) => record.ttl))
      return { side: success, other: denial, limits: config.success, ttlMs: 1000 * within(config.success, ttl) }
    }
    if (reply.rcode !== rcodes.NXDOMAIN && reply.rcode !== rcodes.NOERROR) return undefined
    const ttl = negativeTtl(reply.authorities ?? [])
    // RFC 2308 section 5: a denial without an SOA is not kept.
    if (ttl === undefined || off(config.disableDenial)) return undefined
    return { side: denial, other: success, limits: config.denial, ttlMs: 1000 * within(config.denial, ttl) }
  }
}

const within = (side: CacheSide, ttl: number): number => Math.min(side.maxTtl, Math.max(side.minTtl, ttl))

function negativeTtl(authorities: readonly ResourceRecord[]): number | undefined {
  for (const record of authorities) if (record.data.kind === 'soa') return Math.min(record.ttl, record.data.soa.minimum)
  return undefined
}

function withTtls(reply: Reply, change: (ttl: number) => number): Reply {
  const changed = (records: readonly ResourceRecord[] = []) =>
    records.map((record) => ({ ...record, ttl: change(record.ttl) }))
  return {
    ...reply,
    authoritative: false,
    answers: changed(reply.answers),
    authorities: changed(reply.authorities),
    additionals: changed(reply.additionals),
  }
}
