// effect: SQLite file
// The store in one SQLite file: a log of writes with one writer in this process. Writes that arrive in one turn of the
// event loop are one transaction, and are acknowledged when it is on the disk.

import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Clock } from '#daemon/clock.ts'
import { openSqliteFile, storeErrorOf } from '#apiserver/store/sqlite-file.ts'
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

/** Keys that have outlived their time go within this many milliseconds. */
const sweepMs = 30_000
/** How many superseded rows one step of a compaction removes: bounds how long requests wait for it. */
const compactionStep = 1000
/** How many keys of a backup are read at once. */
const exportStep = 1000
/** How many objects are read before others get their turn: some 10 ms. */
const partStep = 1000

/** So many writes do not wait for more of their turn: the first of a crowd would wait for the last. */
const mostInBatch = 64

type Row = {
  readonly revision: number
  readonly key: string
  readonly previous: number
  readonly value: string | null
  readonly before: string | null
  readonly expires: number | null
}
type Write = {
  readonly key: string
  /** undefined: delete */
  readonly value: Value | undefined
  /** 0: must not be there */
  readonly expected: number
  readonly expires: number | null
  resolve(written: Written): void
  reject(error: StoreError): void
}
type Watcher = { readonly prefix: string; readonly sink: Sink }

export type SqliteStoreOptions = { readonly path: string; readonly clock: Clock }

/** Opens the store. Throws StoreError. */
export function openSqliteStore(options: SqliteStoreOptions): SqliteStore {
  return new SqliteStore(options)
}

export class SqliteStore implements Store {
  readonly #path: string
  readonly #clock: Clock
  readonly #database: DatabaseSync
  readonly #statements: ReturnType<typeof prepare>
  readonly #watchers = new Set<Watcher>()
  #queue: Write[] = []
  #scheduled = false
  #isFlushing = false
  #revision: number
  #compacted: number
  #closed = false
  #trouble: string | undefined
  #cancelSweep: () => void = () => {}

  constructor({ path, clock }: SqliteStoreOptions) {
    this.#path = path
    this.#clock = clock
    this.#database = openSqliteFile(path)
    try {
      this.#statements = prepare(this.#database)
      this.#compacted = Number(this.#statements.compacted.get()!['revision'])
      this.#revision = this.#lastRevision()
    } catch (error) {
      this.#database.close()
      throw storeErrorOf(error, path)
    }
    this.#sweepLater()
  }

  get trouble(): string | undefined {
    return this.#trouble
  }

  async revision(): Promise<number> {
    return this.#revision
  }
  async compacted(): Promise<number> {
    return this.#compacted
  }

  async get(key: string): Promise<Stored | undefined> {
    return this.#read(() => storedOf(this.#statements.last.get(key) as Row | undefined))
  }

  async list(prefix: string, { limit = 0, from = prefix, revision = this.#revision }: ListOptions = {}): Promise<Page> {
    this.#check(revision)
    const rows = this.#rows(prefix, from, revision, limit > 0 ? limit : -1)
    return { items: rows.map((row) => storedOf(row)!), revision }
  }

  async *parts(
    prefix: string,
    { from = prefix, revision = this.#revision, size = partStep }: PartOptions = {},
  ): AsyncGenerator<Page> {
    for (let key = from; ;) {
      this.#check(revision)
      const rows = this.#rows(prefix, key, revision, size)
      yield { items: rows.map((row) => storedOf(row)!), revision }
      if (rows.length < size) return
      key = `${rows.at(-1)!.key}\0`
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  create(key: string, value: Value, { ttlSeconds }: WriteOptions = {}): Promise<Written> {
    return this.#enqueue(key, value, 0, ttlSeconds)
  }
  update(key: string, value: Value, expected: number, { ttlSeconds }: WriteOptions = {}): Promise<Written> {
    return this.#enqueue(key, value, expected, ttlSeconds)
  }
  delete(key: string, expected: number): Promise<Written> {
    return this.#enqueue(key, undefined, expected, undefined)
  }

  async watch(prefix: string, sink: Sink): Promise<{ revision: number; close(): void }> {
    const watcher = { prefix, sink }
    this.#watchers.add(watcher)
    return { revision: this.#revision, close: () => this.#watchers.delete(watcher) }
  }

  async changes(prefix: string, after: number, through: number): Promise<readonly Change[]> {
    this.#check(after)
    return this.#read(() =>
      (this.#statements.changes.all(after, through, prefix, endOf(prefix)) as Row[]).map((row) => ({
        key: row.key,
        revision: row.revision,
        value: row.value === null ? undefined : { text: row.value },
        ...(row.before === null ? {} : { previous: { text: row.before } }),
      })),
    )
  }

  async compact(revision: number): Promise<void> {
    const target = Math.min(revision, this.#revision)
    // In steps, each with a turn of the event loop after it, so that requests go on. History is refused from the first
    // step on, since a half-compacted history would answer wrongly.
    while (this.#compacted < target && !this.#closed) {
      const through = Math.min(target, this.#compacted + compactionStep)
      this.#transaction(() => {
        this.#statements.compactSuperseded.run(this.#compacted, through)
        this.#statements.compactDeletes.run(this.#compacted, through)
        this.#statements.setCompacted.run(through)
      })
      this.#compacted = through
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  async *export(): AsyncGenerator<Exported> {
    const revision = this.#revision
    const nowSeconds = Math.floor(this.#clock.now() / 1000)
    for (let from = ''; ;) {
      this.#check(revision)
      const rows = this.#rows('', from, revision, exportStep)
      for (const { key, value, expires } of rows) {
        const ttlSeconds = expires === null ? undefined : Math.max(1, expires - nowSeconds)
        yield { key, text: value!, ttlSeconds }
      }
      if (rows.length < exportStep) return
      from = `${rows.at(-1)!.key}\0`
    }
  }

  async advance(revision: number): Promise<void> {
    this.#flush()
    const target = Math.max(revision, this.#revision)
    await this.compact(this.#revision)
    this.#transaction(() => this.#statements.setCompacted.run(target))
    this.#compacted = this.#revision = target
    for (const { sink } of this.#watchers) sink([], target)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return
    this.#flush()
    this.#closed = true
    this.#cancelSweep()
    this.#watchers.clear()
    this.#database.close()
  }

  #enqueue(key: string, value: Value | undefined, expected: number, ttlSeconds: number | undefined): Promise<Written> {
    const expires = ttlSeconds === undefined ? null : Math.floor(this.#clock.now() / 1000) + ttlSeconds
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new StoreError('closed', `${this.#path}: the store is closed`))
      this.#queue.push({ key, value, expected, expires, resolve, reject })
      if (this.#queue.length >= mostInBatch && !this.#isFlushing) this.#flush()
      if (this.#scheduled) return undefined
      this.#scheduled = true
      setImmediate(() => this.#flush())
      return undefined
    })
  }

  #flush(): void {
    this.#scheduled = false
    // Who hears of a write may write: that is told once everybody has heard of this one.
    this.#isFlushing = true
    try {
      this.#flushQueue()
    } finally {
      this.#isFlushing = false
    }
  }

  #flushQueue(): void {
    const batch = this.#queue
    if (batch.length === 0) return
    this.#queue = []
    const changes: Change[] = []
    const results: Written[] = []
    try {
      this.#transaction(() => {
        for (const write of batch) results.push(this.#write(write, changes))
      })
    } catch (error) {
      const storeError = storeErrorOf(error, this.#path)
      this.#trouble = storeError.message
      for (const { reject } of batch) reject(storeError)
      return
    }
    this.#revision += changes.length
    this.#trouble = undefined
    // Watchers first: whoever is told of a write finds it in every cache.
    this.#publish(changes)
    for (const [index, { resolve }] of batch.entries()) resolve(results[index]!)
  }

  #write({ key, value, expected, expires }: Write, changes: Change[]): Written {
    const last = this.#statements.lastRevision.get(key) as { revision: number; deleted: number } | undefined
    const current = last === undefined || last.deleted === 1 ? 0 : last.revision
    if (current !== expected)
      return { done: false, current: storedOf(this.#statements.last.get(key) as Row | undefined) }
    const revision = this.#revision + changes.length + 1
    this.#statements.insert.run(revision, key, last?.revision ?? 0, value?.text ?? null, expires)
    changes.push({ key, revision, value })
    return { done: true, revision }
  }

  #publish(changes: readonly Change[]): void {
    if (changes.length === 0) return
    for (const { prefix, sink } of this.#watchers)
      sink(
        changes.filter(({ key }) => key.startsWith(prefix)),
        this.#revision,
      )
  }

  #rows(prefix: string, from: string, revision: number, limit: number): Row[] {
    return this.#read(() => this.#statements.list.all(from, endOf(prefix), revision, limit)) as Row[]
  }

  #transaction(act: () => void): void {
    this.#database.exec('BEGIN IMMEDIATE')
    try {
      act()
      this.#database.exec('COMMIT')
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
      throw error
    }
  }

  #read<T>(read: () => T): T {
    if (this.#closed) throw new StoreError('closed', `${this.#path}: the store is closed`)
    try {
      return read()
    } catch (error) {
      throw storeErrorOf(error, this.#path)
    }
  }

  #check(revision: number): void {
    if (revision < this.#compacted)
      throw new StoreError('compacted', `revision ${revision} is forgotten: the oldest is ${this.#compacted}`)
    if (revision > this.#revision)
      throw new StoreError('future', `revision ${revision} is not there yet: the last is ${this.#revision}`)
  }

  #lastRevision(): number {
    return Math.max(this.#compacted, Number(this.#statements.newest.get()!['revision'] ?? 0))
  }

  #sweepLater(): void {
    this.#cancelSweep = this.#clock.after(sweepMs, () => {
      void this.#sweep().finally(() => {
        if (!this.#closed) this.#sweepLater()
      })
    })
  }

  async #sweep(): Promise<void> {
    try {
      const rows = this.#statements.expired.all(Math.floor(this.#clock.now() / 1000)) as Row[]
      await Promise.all(rows.map(({ key, revision }) => this.delete(key, revision)))
    } catch {
      // The same trouble meets the next request, which has someone to tell.
    }
  }
}

function prepare(database: DatabaseSync): Record<StatementName, StatementSync> {
  const entries = Object.entries(statements).map(([name, sql]) => [name, database.prepare(sql)])
  return Object.fromEntries(entries) as Record<StatementName, StatementSync>
}

type StatementName = keyof typeof statements
const statements = {
  compacted: 'SELECT revision FROM compaction',
  setCompacted: 'UPDATE compaction SET revision = ?',
  newest: 'SELECT max(revision) AS revision FROM log',
  last: 'SELECT revision, key, value FROM log WHERE key = ? ORDER BY revision DESC LIMIT 1',
  lastRevision: 'SELECT revision, value IS NULL AS deleted FROM log WHERE key = ? ORDER BY revision DESC LIMIT 1',
  insert: 'INSERT INTO log (revision, key, previous, value, expires) VALUES (?, ?, ?, ?, ?)',
  // Grouped and ordered alike: SQLite walks the index of keys, and stops at the limit. Of a group it takes the newest row.
  list: `SELECT key, value, expires, max(revision) AS revision FROM log
    WHERE key >= ? AND key < ? AND revision <= ? GROUP BY key HAVING value IS NOT NULL ORDER BY key LIMIT ?`,
  changes: `SELECT log.revision, log.key, log.value, before.value AS before
    FROM log LEFT JOIN log AS before ON before.revision = log.previous
    WHERE log.revision > ? AND log.revision <= ? AND log.key >= ? AND log.key < ? ORDER BY log.revision`,
  compactSuperseded:
    'DELETE FROM log WHERE revision IN (SELECT previous FROM log WHERE revision > ? AND revision <= ?)',
  compactDeletes: 'DELETE FROM log WHERE revision > ? AND revision <= ? AND value IS NULL',
  expired: `SELECT key, revision FROM log WHERE expires <= ?
    AND NOT EXISTS (SELECT 1 FROM log AS later WHERE later.key = log.key AND later.revision > log.revision)`,
} as const

function storedOf(row: Row | undefined): Stored | undefined {
  if (row === undefined || row.value === null) return undefined
  return { key: row.key, revision: row.revision, value: { text: row.value } }
}
