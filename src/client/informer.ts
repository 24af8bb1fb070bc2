// effect: list and watch requests, random pauses
// A cache of all objects of a kind: listed in pages, then kept up to date by a watch. It survives lost connections,
// servers that restart and watches that are too old; a new list is compared with what is known, so that whoever listens
// sees the same changes as if nothing had happened.
import type { ApiObject } from '#api/meta.ts'
import { keyOf } from '#api/object-key.ts'
import type { Resource } from '#api/resource.ts'
import { ApiError, isExpired, type Client } from '#client/client.ts'
import { ConnectionError } from '#client/transport.ts'
import { systemClock, type Clock } from '#daemon/clock.ts'
import { messageOf } from '#daemon/error.ts'
import type { Logger } from '#daemon/log.ts'

export type Change<V> = {
  readonly kind: 'added' | 'changed' | 'removed'
  readonly key: string
  readonly value: V
  /** what was known before a change */
  readonly old?: V
}

export interface Informer<V> {
  /** Resolves when the first list is in; rejects when the signal is aborted before. */
  readonly synced: Promise<void>
  readonly isSynced: boolean
  /** `namespace/name`, or the name of an object without a namespace */
  get(key: string): V | undefined
  values(): Iterable<V>
  entries(): Iterable<readonly [key: string, value: V]>
  readonly size: number
}

export type InformerOptions<T, V> = {
  readonly namespace?: string | undefined
  readonly labelSelector?: string | undefined
  readonly fieldSelector?: string | undefined
  readonly signal: AbortSignal
  readonly log: Logger
  readonly clock?: Clock
  /** What to keep of an object. Without it all is kept but metadata.managedFields. */
  slim?(object: T): V
  /** Whether two versions are the same to the listener: then no change is told. */
  equal?(a: V, b: V): boolean
  /** Must not throw. Called in the order of the changes, first for everything of the first list. */
  onChange?(change: Change<V>): void
  /** Called once, when the first list is in. */
  onSync?(): void
  /** objects per page of a list; default 500 */
  readonly pageSize?: number
  /** pause after a lost connection: the first, doubled each time, up to the most; default 50 ms and 10 s */
  readonly backoffMs?: { readonly first: number; readonly most: number }
}

type Entry<V> = { readonly value: V; readonly resourceVersion: string }

/** Starts at once and runs until the signal is aborted. */
export function informer<T, V = T>(client: Client, resource: Resource<T>, options: InformerOptions<T, V>): Informer<V> {
  const entries = new Map<string, Entry<V>>()
  const sync = Promise.withResolvers<void>()
  sync.promise.catch(() => {})
  let isSynced = false
  void follow(client, resource, options, new Cache(entries, options), () => {
    if (isSynced) return
    isSynced = true
    options.onSync?.()
    sync.resolve()
  }).then(() => sync.reject(options.signal.reason))

  return {
    synced: sync.promise,
    get isSynced() {
      return isSynced
    },
    get: (key) => entries.get(key)?.value,
    *values() {
      for (const { value } of entries.values()) yield value
    },
    *entries() {
      for (const [key, { value }] of entries) yield [key, value] as const
    },
    get size() {
      return entries.size
    },
  }
}

/** Lists, then watches; after a loss watches from where it was, and lists anew where the server says that is too old. */
async function follow<T, V>(
  client: Client,
  resource: Resource<T>,
  options: InformerOptions<T, V>,
  cache: Cache<T, V>,
  onListed: () => void,
): Promise<void> {
  const { signal, log, clock = systemClock } = options
  const { first, most } = options.backoffMs ?? { first: 50, most: 10_000 }
  let version: string | undefined
  let pauseMs = first
  while (!signal.aborted) {
    const startedMs = clock.monotonicMs()
    try {
      if (version === undefined) {
        version = await listAll(client, resource, options, cache)
        onListed()
      }
      for await (const event of watchFrom(client, resource, options, version)) {
        const object = event.object as ApiObject
        version = object.metadata?.resourceVersion ?? version
        if (event.type === 'DELETED') cache.remove(keyOf(object))
        else if (event.type !== 'BOOKMARK') cache.put(object as T)
        pauseMs = first
      }
      // Servers end watches now and then. One that ends at once gets a pause, so that this is no busy loop.
      if (clock.monotonicMs() - startedMs > 1000) continue
    } catch (error) {
      if (signal.aborted) break
      if (clock.monotonicMs() - startedMs > 1000) pauseMs = first
      if (isExpired(error)) {
        log.debug(`watch of ${resource.plural} is too old: listing anew`, {}, 4)
        version = undefined
        if (clock.monotonicMs() - startedMs > first) continue
      } else if (error instanceof ApiError) {
        log.error(`cannot list or watch ${resource.plural}: will try again`, { err: messageOf(error) })
        version = undefined
      } else if (error instanceof ConnectionError) {
        const isNew = pauseMs === first
        log[isNew ? 'warn' : 'debug'](`lost the API server: will try again`, { err: messageOf(error) })
      } else throw error
    }
    await clock.sleep(pauseMs * (0.5 + Math.random()), signal)
    pauseMs = Math.min(pauseMs * 2, most)
  }
}

/** Answers the resource version of the list. */
async function listAll<T, V>(
  client: Client,
  resource: Resource<T>,
  options: InformerOptions<T, V>,
  cache: Cache<T, V>,
): Promise<string> {
  const { namespace, labelSelector, fieldSelector, signal, pageSize = 500 } = options
  const selected = { namespace, labelSelector, fieldSelector, signal }
  const seen = new Set<string>()
  let token: string | undefined
  let limit: { limit?: number } = { limit: pageSize }
  for (;;) {
    try {
      const page = await client.list(resource, {
        ...selected,
        ...limit,
        ...(token !== undefined && { continue: token }),
      })
      for (const object of page.items) seen.add(cache.put(object))
      token = page.metadata.continue || undefined
      if (token !== undefined) continue
      cache.keepOnly(seen)
      return page.metadata.resourceVersion ?? ''
    } catch (error) {
      // The list grew too old between two of its pages: once more, in one piece.
      if (token === undefined || !isExpired(error)) throw error
      token = undefined
      limit = {}
      seen.clear()
    }
  }
}

function watchFrom<T, V>(client: Client, resource: Resource<T>, options: InformerOptions<T, V>, version: string) {
  const { namespace, labelSelector, fieldSelector, signal } = options
  return client.watch(resource, {
    namespace,
    labelSelector,
    fieldSelector,
    signal,
    resourceVersion: version,
    allowWatchBookmarks: true,
    // spread, so that not all clients come back in the same second
    timeoutSeconds: 300 + Math.floor(Math.random() * 300),
  })
}

class Cache<T, V> {
  readonly #entries: Map<string, Entry<V>>
  readonly #options: InformerOptions<T, V>

  constructor(entries: Map<string, Entry<V>>, options: InformerOptions<T, V>) {
    this.#entries = entries
    this.#options = options
  }

  /** Answers the object's key. */
  put(object: T): string {
    const { onChange, equal, slim = withoutManagedFields as (object: T) => V } = this.#options
    const key = keyOf(object as ApiObject)
    const { resourceVersion = '' } = (object as ApiObject).metadata ?? {}
    const old = this.#entries.get(key)
    if (old !== undefined && old.resourceVersion === resourceVersion) return key
    const value = slim(object)
    this.#entries.set(key, { value, resourceVersion })
    if (old === undefined) onChange?.({ kind: 'added', key, value })
    else if (equal?.(old.value, value) !== true) onChange?.({ kind: 'changed', key, value, old: old.value })
    return key
  }

  remove(key: string): void {
    const old = this.#entries.get(key)
    if (!this.#entries.delete(key)) return
    this.#options.onChange?.({ kind: 'removed', key, value: old!.value })
  }

  keepOnly(keys: ReadonlySet<string>): void {
    for (const key of this.#entries.keys()) if (!keys.has(key)) this.remove(key)
  }
}

/** The objects are fresh from JSON and no one else's yet, so they are changed in place. */
function withoutManagedFields(object: unknown): unknown {
  const { metadata } = object as { metadata?: { managedFields?: unknown } }
  if (metadata !== undefined) delete metadata.managedFields
  return object
}
