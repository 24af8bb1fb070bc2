// effect: list and watch requests
// One cache per kind, shared by all controllers of the process: each kind is listed and watched once.

import type { ApiObject } from '#api/meta.ts'
import type { Resource } from '#api/resource.ts'
import type { Client } from '#client/client.ts'
import { type Informer, informer } from '#client/informer.ts'
import { Store, confirmationMs } from '#client/control/store.ts'
import type { Clock } from '#daemon/clock.ts'
import type { Logger } from '#daemon/log.ts'

export interface Caches {
  /** The cache of a kind. It begins to fill with the first call. */
  of<T extends ApiObject>(resource: Resource<T>): Store<T>
  /** The cache of a kind that someone has asked for. */
  known(resource: Resource): Store<ApiObject> | undefined
  /** Resolves when all that there are at the time of the call have their first list; rejects when aborted before. */
  synced(): Promise<void>
  readonly areSynced: boolean
}

type Open = { readonly store: Store<ApiObject>; readonly informer: Informer<ApiObject> }

export function createCaches(options: {
  readonly client: Client
  readonly signal: AbortSignal
  readonly log: Logger
  readonly clock: Clock
  /** what is kept of an object of a kind, always its metadata */
  slimOf(resource: Resource): (object: ApiObject) => ApiObject
}): Caches {
  const { client, signal, log, clock, slimOf } = options
  const open = new Map<string, Open>()

  const start = (resource: Resource): Open => {
    const slim = slimOf(resource)
    const store = new Store<ApiObject>(slim)
    const watched = informer<ApiObject, ApiObject>(client, resource as Resource<ApiObject>, {
      signal,
      log,
      clock,
      slim,
      onChange: ({ kind, value }) => (kind === 'removed' ? store.tellGone(value) : store.tell(value)),
    })
    sweep(store, watched)
    return { store, informer: watched }
  }
  /** Own writes are confirmed within milliseconds, except where the watch was lost. */
  const sweep = (store: Store<ApiObject>, { get }: Informer<ApiObject>) => {
    if (signal.aborted) return
    if (store.hasUnconfirmed) store.dropUnconfirmed((key) => get(key) !== undefined, clock.now())
    const cancel = clock.after(confirmationMs, () => {
      signal.removeEventListener('abort', cancel)
      sweep(store, { get } as Informer<ApiObject>)
    })
    signal.addEventListener('abort', cancel, { once: true })
  }

  return {
    of<T extends ApiObject>(resource: Resource<T>) {
      const name = nameOf(resource)
      let one = open.get(name)
      if (one === undefined) open.set(name, (one = start(resource)))
      return one.store as unknown as Store<T>
    },
    known: (resource) => open.get(nameOf(resource))?.store,
    async synced() {
      await Promise.all([...open.values()].map(({ informer }) => informer.synced))
    },
    get areSynced() {
      return [...open.values()].every(({ informer }) => informer.isSynced)
    },
  }
}

const nameOf = ({ plural, group }: Resource): string => `${plural}.${group}`
