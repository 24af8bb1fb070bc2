// Who owns whom: every object that may own or be owned, by UID.

import type { ApiObject, OwnerReference } from '#api/meta.ts'
import type { Resource } from '#api/resource.ts'
import type { Stored } from '#api/stored.ts'

export const foregroundFinalizer = 'foregroundDeletion'
export const orphanFinalizer = 'orphan'

export type Item = { readonly resource: Resource; readonly object: Stored<ApiObject> }

export const isGoing = ({ object }: Item): boolean => object.metadata.deletionTimestamp !== undefined
export const hasFinalizer = ({ object }: Item, finalizer: string): boolean =>
  object.metadata.finalizers?.includes(finalizer) ?? false
/** On its way out, but not before its dependents. */
export const waitsForDependents = (item: Item): boolean => isGoing(item) && hasFinalizer(item, foregroundFinalizer)
export const ownersOf = ({ object }: Item): readonly OwnerReference[] => object.metadata.ownerReferences ?? []

/** The UIDs that a change gives reason to decide about anew. */
export type ToExamine = readonly string[]

/** Kept in step with the caches. It answers which objects a change concerns; what to do about them is decided elsewhere. */
export class Graph {
  readonly #items = new Map<string, Item>()
  readonly #dependents = new Map<string, Set<string>>()
  /** deleted ones that something still refers to */
  readonly #gone = new Set<string>()

  item(uid: string): Item | undefined {
    return this.#items.get(uid)
  }

  items(): Iterable<Item> {
    return this.#items.values()
  }

  dependentsOf(uid: string): readonly Item[] {
    return [...(this.#dependents.get(uid) ?? [])].map((dependent) => this.#items.get(dependent)!)
  }

  /** Known to have existed and to have been deleted. A UID never comes back. */
  isGone(uid: string): boolean {
    return this.#gone.has(uid)
  }

  markGone(uid: string): void {
    if (this.#dependents.has(uid)) this.#gone.add(uid)
  }

  /** Takes in a new or changed object. */
  observe(item: Item): ToExamine {
    const { uid } = item.object.metadata
    const before = this.#items.get(uid)
    this.#items.set(uid, item)
    const toExamine = new Set<string>()
    this.#link(item, before, toExamine)
    const startsToWait = waitsForDependents(item) && !(before && waitsForDependents(before))
    if (startsToWait) for (const dependent of this.#dependents.get(uid) ?? []) toExamine.add(dependent)
    if (startsToWait || (isGoing(item) && hasFinalizer(item, orphanFinalizer))) toExamine.add(uid)
    return [...toExamine]
  }

  /** Takes out a deleted object: those that it owned may go now, those that waited for it too. */
  forget(uid: string): ToExamine {
    const item = this.#items.get(uid)
    if (item === undefined) return []
    this.#items.delete(uid)
    const dependents = this.#dependents.get(uid) ?? []
    this.markGone(uid)
    for (const owner of ownersOf(item)) this.#unlink(owner.uid, uid)
    const waiting = ownersOf(item).filter((owner) => {
      const of = this.#items.get(owner.uid)
      return of !== undefined && waitsForDependents(of)
    })
    return [...dependents, ...waiting.map((owner) => owner.uid)]
  }

  #link(item: Item, before: Item | undefined, toExamine: Set<string>): void {
    const { uid } = item.object.metadata
    const old = before === undefined ? [] : ownersOf(before)
    const now = ownersOf(item)
    for (const owner of now) {
      let dependents = this.#dependents.get(owner.uid)
      if (dependents === undefined) this.#dependents.set(owner.uid, (dependents = new Set()))
      dependents.add(uid)
      const known = this.#items.get(owner.uid)
      const isNew = !old.some((other) => other.uid === owner.uid)
      if (isNew && (known === undefined || waitsForDependents(known) || !isOwnedAs(owner, item, known)))
        toExamine.add(uid)
    }
    for (const owner of old) {
      const still = now.find((other) => other.uid === owner.uid)
      if (still === undefined) this.#unlink(owner.uid, uid)
      if (owner.blockOwnerDeletion === true && still?.blockOwnerDeletion !== true) toExamine.add(owner.uid)
    }
  }

  #unlink(owner: string, dependent: string): void {
    const dependents = this.#dependents.get(owner)
    dependents?.delete(dependent)
    if (dependents?.size !== 0) return
    this.#dependents.delete(owner)
    this.#gone.delete(owner)
  }
}

/** Whether a reference names its owner rightly: name and kind, and the same namespace unless the owner has none. */
export function isOwnedAs(owner: OwnerReference, item: Item, known: Item): boolean {
  const { metadata } = known.object
  return (
    owner.name === metadata.name &&
    owner.kind === known.resource.kind &&
    owner.apiVersion.split('/').at(-2) === (known.resource.group || undefined) &&
    (!known.resource.namespaced || metadata.namespace === item.object.metadata.namespace)
  )
}
