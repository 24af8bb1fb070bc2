// The objects of one kind as all controllers see them: what the watch has told, and what this process has written since.
//
// A write is seen at once and not only when the watch tells of it, so that a controller never acts twice on what it has
// already changed, and that others need not wait. Resource versions say which of two states is the newer one.

import type { ApiObject } from '#api/meta.ts'
import { keyOf } from '#api/object-key.ts'
import { type Stored, stored } from '#api/stored.ts'

export type StoreChange<T extends ApiObject> = {
  readonly kind: 'added' | 'changed' | 'removed'
  readonly key: string
  readonly value: Stored<T>
  /** what was known before a change */
  readonly old?: Stored<T>
}
type Listener<T extends ApiObject> = (change: StoreChange<T>) => void

/** Objects by some property of theirs. */
export interface Index<T extends ApiObject> {
  of(property: string): readonly Stored<T>[]
}

/** After this long the watch must have told of an own write. */
export const confirmationMs = 30_000

type Entry<T extends ApiObject> = {
  readonly value: Stored<T>
  readonly version: number
  /** set until the watch has told of this state or a newer one: when it was written here */
  readonly writtenMs?: number
  /** what a write without an answer is taken to have done */
  readonly isAssumed?: true
}

export class Store<T extends ApiObject> {
  readonly #entries = new Map<string, Entry<T>>()
  readonly #unconfirmed = new Set<string>()
  readonly #listeners: Listener<T>[] = []
  readonly #indexes: Listener<T>[] = []
  readonly #slim: (object: T) => T
  /** the newest version that the watch has told of */
  #told = 0

  constructor(slim: (object: T) => T) {
    this.#slim = slim
  }

  get(key: string): Stored<T> | undefined {
    return this.#entries.get(key)?.value
  }

  *values(): Iterable<Stored<T>> {
    for (const { value } of this.#entries.values()) yield value
  }

  get size(): number {
    return this.#entries.size
  }

  /** Tells of every change from now on, and first of everything that there is. */
  listen(listener: Listener<T>): void {
    for (const [key, { value }] of this.#entries) listener({ kind: 'added', key, value })
    this.#listeners.push(listener)
  }

  /** Finds objects by the properties that `propertiesOf` names. Kept up to date before listeners are told. */
  index(propertiesOf: (object: Stored<T>) => readonly string[]): Index<T> {
    const keys = new Map<string, Set<string>>()
    const drop = (value: Stored<T>, key: string) => {
      for (const property of propertiesOf(value)) {
        const set = keys.get(property)
        set?.delete(key)
        if (set?.size === 0) keys.delete(property)
      }
    }
    const update: Listener<T> = ({ kind, key, value, old }) => {
      if (kind === 'removed') return drop(value, key)
      if (old !== undefined) drop(old, key)
      for (const property of propertiesOf(value)) {
        const set = keys.get(property)
        if (set === undefined) keys.set(property, new Set([key]))
        else set.add(key)
      }
    }
    for (const [key, { value }] of this.#entries) update({ kind: 'added', key, value })
    this.#indexes.push(update)
    return { of: (property) => [...(keys.get(property) ?? [])].map((key) => this.#entries.get(key)!.value) }
  }

  /** The watch (or a list) tells of an object's state. */
  tell(object: T): void {
    const key = keyOf(object)
    const version = versionOf(object)
    this.#told = Math.max(this.#told, version)
    const known = this.#entries.get(key)
    // Only an own write can be ahead of the watch; else the watch is right, also where a server went back in time.
    if (known?.writtenMs !== undefined && known.version > version) return
    this.#unconfirmed.delete(key)
    // What is assumed follows from this state.
    if (known?.isAssumed && known.version === version) return
    if (known !== undefined && known.version === version && known.writtenMs !== undefined) {
      this.#entries.set(key, { value: known.value, version })
      return
    }
    this.#put(key, { value: stored(object), version })
  }

  /** The watch tells that an object is gone; `last` is its last state that the watch had told. */
  tellGone(last: T): void {
    const key = keyOf(last)
    this.#told = Math.max(this.#told, versionOf(last))
    const known = this.#entries.get(key)
    if (known === undefined || known.value.metadata.uid !== last.metadata?.uid) return
    this.#remove(key, known)
  }

  /** A write of this process was answered with this state. */
  wrote(answer: T, nowMs: number): void {
    const object = this.#slim(answer)
    const key = keyOf(object)
    const version = versionOf(object)
    const known = this.#entries.get(key)
    // Told of already: either that very state, or the object is gone again.
    if (known === undefined ? version <= this.#told : known.version > version) return
    if (known?.version === version) return
    this.#unconfirmed.add(key)
    this.#put(key, { value: stored(object), version, writtenMs: nowMs })
  }

  /** A write of this process was answered without a state: this is what it will be, until something newer comes. */
  assume(value: Stored<T>, nowMs: number): void {
    const key = keyOf(value)
    const known = this.#entries.get(key)
    if (known === undefined || known.value.metadata.uid !== value.metadata.uid) return
    if (known.version > versionOf(value)) return
    this.#put(key, { value, version: known.version, writtenMs: nowMs, isAssumed: true })
  }

  /** Drops own writes that the watch never told of: their objects were removed while no watch was up. */
  dropUnconfirmed(isTold: (key: string) => boolean, nowMs: number): void {
    for (const key of this.#unconfirmed) {
      const known = this.#entries.get(key)
      if (known?.writtenMs === undefined) this.#unconfirmed.delete(key)
      else if (nowMs - known.writtenMs >= confirmationMs) {
        this.#unconfirmed.delete(key)
        if (!isTold(key)) this.#remove(key, known)
      }
    }
  }

  get hasUnconfirmed(): boolean {
    return this.#unconfirmed.size > 0
  }

  #put(key: string, entry: Entry<T>): void {
    const old = this.#entries.get(key)?.value
    this.#entries.set(key, entry)
    const { value } = entry
    this.#notify(old === undefined ? { kind: 'added', key, value } : { kind: 'changed', key, value, old })
  }

  #remove(key: string, { value }: Entry<T>): void {
    this.#entries.delete(key)
    this.#unconfirmed.delete(key)
    this.#notify({ kind: 'removed', key, value })
  }

  #notify(change: StoreChange<T>): void {
    for (const update of this.#indexes) update(change)
    for (const listener of this.#listeners) listener(change)
  }
}

/** Resource versions of one server are numbers that grow. One that is no number counts as newer than all. */
function versionOf(object: ApiObject): number {
  const version = Number(object.metadata?.resourceVersion)
  return Number.isNaN(version) ? Infinity : version
}
