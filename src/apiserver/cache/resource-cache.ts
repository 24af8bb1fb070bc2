// All objects of one resource as they are now, and what happened to them lately. Loaded from the store at the first use
// and kept by a watch on it; every read and every watch of clients is answered from here.

import { entriesOf, type Entry, entryAt, entryOf, type FieldsOf } from '#apiserver/cache/entry.ts'
import { SortedKeys } from '#apiserver/cache/sorted-keys.ts'
import { endOf, type Change, type Store, type Stored, type Value } from '#apiserver/store/store.ts'

/** How many events are kept for watches that resume; older ones come from the store's own history. */
const ringSize = 1000

/** One change of one object. A deleted entry is its last state as of the revision of the delete. */
export type CacheEvent = {
  readonly kind: 'added' | 'modified' | 'deleted'
  readonly revision: number
  readonly entry: Entry
  readonly previous: Entry | undefined
  /** the bytes of this event as watches send it: encoded once, whatever the number of watchers */
  readonly encoded: Map<string, Uint8Array>
}
export type Listener = (events: readonly CacheEvent[]) => void

export class ResourceCache {
  readonly #store: Store
  readonly #prefix: string
  readonly #fieldsOf: FieldsOf | undefined
  readonly #entries = new Map<string, Entry>()
  readonly #keys = new SortedKeys()
  readonly #listeners = new Set<Listener>()
  #ring: CacheEvent[] = []
  /** the ring holds every event after this revision */
  #ringAfter = 0
  #through = 0
  #waiting: { readonly revision: number; readonly resolve: () => void }[] = []
  #loaded: Promise<void> | undefined
  #close: () => void = () => {}

  constructor(store: Store, prefix: string, fieldsOf?: FieldsOf) {
    this.#store = store
    this.#prefix = prefix
    this.#fieldsOf = fieldsOf
  }

  /** Resolves when the cache follows the store: what is written from here on comes by itself. */
  following(): Promise<void> {
    this.#loaded ??= this.#load()
    return this.#loaded
  }

  /** Resolves when everything is here that was written before the call; answers the store's revision then. */
  async fresh(): Promise<number> {
    await this.following()
    const revision = await this.#store.revision()
    if (this.#through < revision) await new Promise<void>((resolve) => this.#waiting.push({ revision, resolve }))
    return this.#through
  }

  /** The entry that is here, however old; where there is none, what the store has. */
  async find(key: string): Promise<Entry | undefined> {
    await this.following()
    const known = this.#entries.get(key)
    if (known !== undefined) return known
    await this.fresh()
    return this.#entries.get(key)
  }

  get isLoaded(): boolean {
    return this.#through > 0
  }
  /** The revision that the cache shows. */
  get revision(): number {
    return this.#through
  }
  get size(): number {
    return this.#entries.size
  }
  /** The revision of the last change of any object of this resource that the cache can tell. */
  get changedAt(): number {
    return this.#ring.at(-1)?.revision ?? this.#ringAfter
  }
  get watchers(): number {
    return this.#listeners.size
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key)
  }

  /** The entries whose keys start with `prefix`, in order, from the key `from` on. To be read within one turn. */
  *range(prefix = '', from = prefix): Iterable<Entry> {
    const end = prefix === '' ? undefined : endOf(prefix)
    for (let index = this.#keys.from(from); index < this.#keys.size; index++) {
      const key = this.#keys.at(index)!
      if (end !== undefined && key >= end) return
      yield this.#entries.get(key)!
    }
  }

  /** How many keys start with `prefix`, from the key `from` on. */
  count(prefix: string, from: string): number {
    const end = prefix === '' ? this.#keys.size : this.#keys.from(endOf(prefix))
    return Math.max(0, end - this.#keys.from(from))
  }

  /**
   * Calls `listener` with every event after the revision `after`: at once (synchronously) with those that are past, then
   * as they come. Throws StoreError 'compacted' when they are forgotten. The answer ends it.
   */
  async subscribe(after: number, listener: Listener): Promise<() => void> {
    let past: readonly CacheEvent[] = []
    for (;;) {
      if (after >= this.#ringAfter) break
      const through = this.#through
      past = [...past, ...(await this.#history(after, through))]
      after = through
    }
    const recent = [...past, ...this.#ring.filter((event) => event.revision > after)]
    if (recent.length > 0) listener(recent)
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Stops following the store. */
  close(): void {
    this.#close()
    this.#listeners.clear()
  }

  async #load(): Promise<void> {
    const early: Change[] = []
    let isLoaded = false
    const take = (changes: readonly Change[], through: number) => {
      if (isLoaded) this.#apply(changes, through)
      else for (const change of changes) early.push(change)
    }
    const watch = await this.#store.watch(this.#prefix, take, async () => {
      if (isLoaded) await this.#reload()
    })
    this.#close = () => watch.close()
    let shown = 0
    for await (const { items, revision } of this.#store.parts(this.#prefix)) {
      for (const entry of entriesOf(items, (key) => this.#shorten(key), this.#fieldsOf))
        this.#entries.set(entry.key, entry)
      shown = revision
    }
    this.#keys.replace(this.#entries.keys())
    this.#ringAfter = this.#through = shown
    isLoaded = true
    const later = early.filter(({ revision }) => revision > shown)
    this.#apply(later, later.at(-1)?.revision ?? shown)
  }

  /** Changes were missed: what is different now is told as if it had just happened. */
  async #reload(): Promise<void> {
    const items: Stored[] = []
    let revision = 0
    for await (const part of this.#store.parts(this.#prefix)) {
      for (const item of part.items) items.push(item)
      revision = part.revision
    }
    const found = new Set(items.map(({ key }) => this.#shorten(key)))
    const changed = items.filter((item) => this.#entries.get(this.#shorten(item.key))?.revision !== item.revision)
    const gone = [...this.#entries.keys()].filter((key) => !found.has(key))
    const changes: Change[] = [
      ...changed.toSorted((a, b) => a.revision - b.revision),
      ...gone.map((key) => ({ key: this.#prefix + key, revision, value: undefined })),
    ]
    this.#apply(changes, revision)
  }

  #apply(changes: readonly Change[], through: number): void {
    const events: CacheEvent[] = []
    for (const change of changes) {
      // A store that is shared may tell again what a list has shown already.
      if (change.revision <= this.#through) continue
      const event = this.#eventOf(change, this.#entries.get(this.#shorten(change.key)))
      if (event === undefined) continue
      if (event.kind === 'deleted') {
        this.#entries.delete(event.entry.key)
        this.#keys.delete(event.entry.key)
      } else {
        this.#entries.set(event.entry.key, event.entry)
        if (event.kind === 'added') this.#keys.add(event.entry.key)
      }
      events.push(event)
    }
    this.#remember(events)
    this.#through = Math.max(this.#through, through)
    if (events.length > 0) for (const listener of this.#listeners) listener(events)
    const ready = this.#waiting.filter(({ revision }) => revision <= this.#through)
    if (ready.length === 0) return
    this.#waiting = this.#waiting.filter(({ revision }) => revision > this.#through)
    for (const { resolve } of ready) resolve()
  }

  #remember(events: readonly CacheEvent[]): void {
    for (const event of events) this.#ring.push(event)
    // Twice the size before it is cut, so that cutting costs nothing per event.
    if (this.#ring.length <= 2 * ringSize) return
    const cut = this.#ring.length - ringSize
    this.#ringAfter = this.#ring[cut - 1]!.revision
    this.#ring = this.#ring.slice(cut)
  }

  #eventOf(change: Change, previous: Entry | undefined): CacheEvent | undefined {
    const { key, revision, value } = change
    const encoded = new Map<string, Uint8Array>()
    if (value !== undefined) {
      const kind = previous === undefined ? 'added' : 'modified'
      return { kind, revision, entry: this.#entryOf(key, revision, value), previous, encoded }
    }
    if (previous === undefined) return undefined
    return { kind: 'deleted', revision, entry: entryAt(previous, revision), previous, encoded }
  }

  async #history(after: number, through: number): Promise<CacheEvent[]> {
    const changes = await this.#store.changes(this.#prefix, after, through)
    return changes.flatMap((change) => {
      const previous = change.previous && this.#entryOf(change.key, change.revision - 1, change.previous)
      return this.#eventOf(change, previous) ?? []
    })
  }

  #entryOf(key: string, revision: number, value: Value): Entry {
    return entryOf(this.#shorten(key), revision, value, this.#fieldsOf)
  }
  #shorten(key: string): string {
    return key.slice(this.#prefix.length)
  }
}
