// effect: etcd
// The store in an etcd cluster, which other servers may share. One watch of all keys feeds every cache: its revisions are
// whole, so that a cache knows how far it has come also where nothing of its own changed. A write is acknowledged when
// etcd has committed it and the watch has brought it back, so that whoever is told of it finds it in every cache here.

import { randomInt } from 'node:crypto'
import type { Clock } from '#daemon/clock.ts'
import type { Logger } from '#daemon/log.ts'
import { EtcdClient, type EtcdOptions, type WatchEnd } from '#etcd/client.ts'
import { code, GrpcError } from '#etcd/grpc-channel.ts'
import { everything, type Event, type KeyValue, type Operation } from '#etcd/message.ts'
import { EtcdLeases } from '#apiserver/store/etcd-leases.ts'
import { storeErrorOf } from '#apiserver/store/etcd-error.ts'
import {
  endOf,
  StoreError,
  type Change,
  type Exported,
  type ListOptions,
  type Page,
  type PartOptions,
  type Sink,
  type Store,
  type Stored,
  type Value,
  type WriteOptions,
  type Written,
} from '#apiserver/store/store.ts'

export type EtcdStoreOptions = EtcdOptions & {
  /** what all keys begin with */
  readonly prefix: string
  readonly clock: Clock
  readonly log: Logger
  /** how much of a long list is asked for at once */
  readonly pageSize?: number
}

const usualPageSize = 5000
/** A write that is committed is told after this time also where the watch is broken. */
const echoMs = 10_000

type Watcher = { readonly prefix: string; readonly sink: Sink; readonly lost: (() => Promise<void>) | undefined }
type Waiting = { readonly revision: number; readonly resolve: () => void }

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Connects. Throws StoreError where no member answers. */
export async function openEtcdStore(options: EtcdStoreOptions): Promise<EtcdStore> {
  const client = new EtcdClient(options)
  try {
    // The first page of something: it says what the revision is, and whether the keys may be read.
    const { revision } = await client.range({ key: `${options.prefix}/`, countOnly: true })
    return new EtcdStore(client, options, revision)
  } catch (error) {
    client.close()
    throw storeErrorOf(error)
  }
}

export class EtcdStore implements Store {
  readonly #client: EtcdClient
  readonly #root: string
  readonly #clock: Clock
  readonly #log: Logger
  readonly #pageSize: number
  readonly #leases: EtcdLeases
  readonly #watchers = new Set<Watcher>()
  #waiting: Waiting[] = []
  /** every change up to here has been told */
  #through: number
  #compacted = 0
  #trouble: string | undefined
  #closed = false
  #stopWatch: () => void = () => {}
  #asked: Promise<number> | undefined

  constructor(client: EtcdClient, options: EtcdStoreOptions, revision: number) {
    const { prefix, clock, log, pageSize = usualPageSize } = options
    this.#client = client
    this.#root = `${prefix}/`
    this.#clock = clock
    this.#log = log
    this.#pageSize = pageSize
    this.#through = revision
    this.#leases = new EtcdLeases(client, clock, () => randomInt(1, 2 ** 47))
    this.#follow()
  }

  get trouble(): string | undefined {
    return this.#trouble
  }

  /** Asked of etcd's majority, once for all who ask within one turn of the event loop. */
  revision(): Promise<number> {
    this.#asked ??= new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
      this.#asked = undefined
      return this.#ask(async () => (await this.#client.range({ key: this.#root, countOnly: true })).revision)
    })
    return this.#asked
  }

  async get(key: string): Promise<Stored | undefined> {
    const { items } = await this.#ask(() => this.#client.range({ key: this.#root + key }))
    return items[0] && this.#storedOf(items[0])
  }

  async list(prefix: string, options: ListOptions = {}): Promise<Page> {
    const { limit = 0, ...rest } = options
    const items: Stored[] = []
    let shown = 0
    for await (const part of this.parts(prefix, { ...rest, ...(limit > 0 && { size: limit }) })) {
      for (const item of part.items) items.push(item)
      shown = part.revision
      if (limit > 0 && items.length >= limit) break
    }
    return { items: limit > 0 ? items.slice(0, limit) : items, revision: shown }
  }

  async *parts(
    prefix: string,
    { from = prefix, revision = 0, size = this.#pageSize }: PartOptions = {},
  ): AsyncGenerator<Page> {
    const end = this.#endOf(prefix)
    const limit = Math.min(size, this.#pageSize)
    for (let [key, shown] = [this.#root + from, revision]; ;) {
      const page = await this.#ask(() => this.#client.range({ key, end, limit, revision: shown }))
      // All parts are of the moment of the first.
      if (shown === 0) shown = page.revision
      yield { items: page.items.map((item) => this.#storedOf(item)), revision: shown }
      if (page.items.length >= page.count) return
      key = `${page.items.at(-1)!.key}\0`
    }
  }

  async *export(): AsyncGenerator<Exported> {
    const seconds = new Map<number, number>()
    let [key, revision] = [this.#root, 0]
    for (;;) {
      const page = await this.#ask(() =>
        this.#client.range({ key, end: this.#endOf(''), limit: this.#pageSize, ...(revision > 0 && { revision }) }),
      )
      if (revision === 0) revision = page.revision
      for (const item of page.items) {
        const { lease } = item
        if (lease !== 0 && !seconds.has(lease))
          seconds.set(lease, await this.#ask(() => this.#client.leaseSeconds(lease)))
        const { value } = this.#storedOf(item)
        const ttlSeconds = lease === 0 ? undefined : Math.max(1, seconds.get(lease)!)
        yield { key: item.key.slice(this.#root.length), text: value.text, ttlSeconds }
      }
      if (page.items.length >= page.count) return
      key = `${page.items.at(-1)!.key}\0`
    }
  }

  create(key: string, value: Value, options: WriteOptions = {}): Promise<Written> {
    return this.#write(key, value, 0, options)
  }
  update(key: string, value: Value, expected: number, options: WriteOptions = {}): Promise<Written> {
    return this.#write(key, value, expected, options)
  }
  delete(key: string, expected: number): Promise<Written> {
    return this.#write(key, undefined, expected, {})
  }

  async watch(prefix: string, sink: Sink, lost?: () => Promise<void>): Promise<{ revision: number; close(): void }> {
    const watcher = { prefix, sink, lost }
    this.#watchers.add(watcher)
    return { revision: this.#through, close: () => this.#watchers.delete(watcher) }
  }

  changes(prefix: string, after: number, through: number): Promise<readonly Change[]> {
    const found: Change[] = []
    if (after >= through) return Promise.resolve(found)
    return new Promise((resolve, reject) => {
      // Of all keys: each revision has an event of some key, so that the end is seen.
      const request = { ...everything, startRevision: after + 1, withPrevious: true }
      const stop = this.#client.watch(
        request,
        (events) => {
          for (const change of this.#changesOf(events, prefix)) if (change.revision <= through) found.push(change)
          if (events.at(-1)!.kv.modRevision < through) return
          stop()
          resolve(found)
        },
        (end) => {
          if (end.kind === 'broken') return reject(storeErrorOf(end.error))
          this.#compacted = Math.max(this.#compacted, end.revision)
          return reject(new StoreError('compacted', `revision ${after} is forgotten: the oldest is ${end.revision}`))
        },
      )
    })
  }

  async compact(revision: number): Promise<void> {
    try {
      await this.#client.compact(revision)
    } catch (error) {
      // Another server was faster.
      if (!(error instanceof GrpcError) || error.code !== code.outOfRange) throw storeErrorOf(error)
    }
    this.#compacted = Math.max(this.#compacted, revision)
  }

  async compacted(): Promise<number> {
    return this.#compacted
  }

  async advance(revision: number): Promise<void> {
    // etcd counts revisions by writes alone, so they are made: of one key that nobody reads.
    const key = `${this.#root}~revision`
    for (let now = await this.revision(); now < revision; now = await this.revision())
      await this.#ask(() =>
        Promise.all(
          Array.from({ length: Math.min(revision - now, 500) }, () => this.#client.put(key, new Uint8Array())),
        ),
      )
    await this.#ask(() => this.#client.delete(key))
    const now = await this.revision()
    // Not before our own watch has seen it all.
    await this.#told(now)
    await this.compact(now)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#stopWatch()
    this.#watchers.clear()
    this.#client.close()
    for (const { resolve } of this.#waiting) resolve()
  }

  async #write(key: string, value: Value | undefined, expected: number, options: WriteOptions): Promise<Written> {
    const full = this.#root + key
    const bytes = value && encoder.encode(value.text)
    const { answer, isRepeated } = await this.#ask(() =>
      this.#leases.with(options.ttlSeconds, (lease) => {
        const success: Operation =
          bytes === undefined ? { kind: 'delete', key: full } : { kind: 'put', key: full, value: bytes, lease }
        return this.#client.transact({ key: full, modRevision: expected, success, failure: { kind: 'get', key: full } })
      }),
    )
    const { found } = answer
    // An answer was lost on the way: what stands there tells whether the write was done.
    const isOurs = isRepeated && !answer.succeeded && isDone(found, expected, bytes)
    if (!answer.succeeded && !isOurs) return { done: false, current: found && this.#storedOf(found) }
    const revision = isOurs ? (found?.modRevision ?? answer.revision) : answer.revision
    await this.#told(revision)
    return { done: true, revision }
  }

  /** Resolves when every change up to this revision has been told. */
  #told(revision: number): Promise<void> {
    if (this.#through >= revision || this.#closed) return Promise.resolve()
    return new Promise((resolve) => {
      const cancel = this.#clock.after(echoMs, resolve)
      const done = () => {
        cancel()
        resolve()
      }
      this.#waiting.push({ revision, resolve: done })
    })
  }

  #follow(): void {
    if (this.#closed) return
    this.#stopWatch = this.#client.watch(
      { ...everything, startRevision: this.#through + 1, withPrevious: false },
      (events) => this.#take(events),
      (end) => void this.#ended(end),
    )
  }

  async #ended(end: WatchEnd): Promise<void> {
    if (this.#closed) return
    if (end.kind === 'broken') {
      await this.#clock.sleep(50)
      return this.#follow()
    }
    this.#log.warn('the watch of etcd fell behind its history: everything is read anew', { oldest: end.revision })
    this.#compacted = Math.max(this.#compacted, end.revision)
    try {
      const now = await this.revision()
      await Promise.all([...this.#watchers].map(({ lost }) => lost?.()))
      for (const { sink } of this.#watchers) sink([], now)
      this.#advance(now)
    } catch {
      await this.#clock.sleep(500)
    }
    return this.#follow()
  }

  #take(events: readonly Event[]): void {
    const through = events.at(-1)!.kv.modRevision
    const changes = this.#changesOf(events, '')
    for (const { prefix, sink } of this.#watchers)
      sink(
        changes.filter(({ key }) => key.startsWith(prefix)),
        through,
      )
    this.#advance(through)
  }

  #advance(through: number): void {
    this.#through = Math.max(this.#through, through)
    const ready = this.#waiting.filter(({ revision }) => revision <= this.#through)
    if (ready.length === 0) return
    this.#waiting = this.#waiting.filter(({ revision }) => revision > this.#through)
    for (const { resolve } of ready) resolve()
  }

  #changesOf(events: readonly Event[], prefix: string): Change[] {
    const root = this.#root + prefix
    return events.flatMap(({ kind, kv, previous }) => {
      if (!kv.key.startsWith(root)) return []
      const value = kind === 'delete' ? undefined : { text: decoder.decode(kv.value) }
      const before = previous && { previous: { text: decoder.decode(previous.value) } }
      return [{ key: kv.key.slice(this.#root.length), revision: kv.modRevision, value, ...before }]
    })
  }

  async #ask<T>(ask: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new StoreError('closed', 'the store is closed')
    try {
      const answer = await ask()
      this.#trouble = undefined
      return answer
    } catch (error) {
      const storeError = storeErrorOf(error)
      if (storeError.code === 'failed' || storeError.code === 'full') this.#trouble = storeError.message
      throw storeError
    }
  }

  #storedOf({ key, value, modRevision }: KeyValue): Stored {
    return { key: key.slice(this.#root.length), revision: modRevision, value: { text: decoder.decode(value) } }
  }
  #endOf(prefix: string): string {
    return endOf(this.#root + prefix)
  }
}

/** Whether what is found is what a write would have left: its value at a later revision, or nothing after a delete. */
function isDone(found: KeyValue | undefined, expected: number, bytes: Uint8Array | undefined): boolean {
  if (bytes === undefined) return found === undefined
  return found !== undefined && found.modRevision > expected && Buffer.compare(found.value, bytes) === 0
}
