// Finding what an owner's claim is about: what it controls, and what nobody does.

import type { ApiObject } from '#api/meta.ts'
import { controllerOf } from '#api/owner.ts'
import type { Stored } from '#api/stored.ts'
import type { Index, Store } from '#client/control/store.ts'

const indexes = new WeakMap<object, Index<ApiObject>>()

/** Objects by the UID of their controller, or by `orphan/NAMESPACE`. One index per store, whoever asks. */
export function byOwner<T extends ApiObject>(store: Store<T>): Index<T> {
  let index = indexes.get(store) as Index<T> | undefined
  if (index === undefined) {
    index = store.index((object) => [controllerOf(object)?.uid ?? `orphan/${object.metadata.namespace}`])
    indexes.set(store, index as unknown as Index<ApiObject>)
  }
  return index
}

/** What `owner` controls and what it might adopt. */
export function candidates<T extends ApiObject>(index: Index<T>, owner: Stored): readonly Stored<T>[] {
  return [...index.of(owner.metadata.uid), ...index.of(`orphan/${owner.metadata.namespace}`)]
}
