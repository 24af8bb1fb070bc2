// WATCH: the stream of events that one client asked for, as values. What sends them is http/watch-stream.ts.

import type { ApiObject } from '#api/meta.ts'
import { expired, StatusError, versionTooLarge } from '#api/status.ts'
import { entryAt, type Entry } from '#apiserver/cache/entry.ts'
import type { CacheEvent, Listener, ResourceCache } from '#apiserver/cache/resource-cache.ts'
import { onlyKey, prefixOf, selects, watchedAs, type Selection, type Watched } from '#apiserver/cache/selection.ts'
import type { ListOptions } from '#apiserver/engine/options.ts'
import type { Served } from '#apiserver/engine/served.ts'
import { StoreError } from '#apiserver/store/store.ts'

export type WatchEvent =
  | ({ readonly kind: 'object'; readonly of: CacheEvent | undefined } & Watched)
  | { readonly kind: 'bookmark'; readonly revision: number; readonly endsInitialEvents: boolean }

/** Takes the events of one moment together. */
export type WatchSink = (events: readonly WatchEvent[]) => void

/**
 * Calls `sink` with the events that the client asked for until the answer is called. Throws StatusError: 410 where the
 * history is gone, 504 where the client has seen a later revision than this server.
 */
export async function watchObjects(
  served: Served,
  namespace: string,
  options: ListOptions,
  sink: WatchSink,
): Promise<() => void> {
  const { cache } = served
  const selection: Selection = { namespace, labels: options.labels, fields: options.fields }
  const current = await cache.fresh()
  const wanted = options.resourceVersion ?? 0
  if (wanted > current) throw new StatusError(versionTooLarge(wanted, current))
  const beginsWithState = options.initialEvents ?? wanted === 0
  if (!beginsWithState) return follow(cache, wanted === 0 ? current : wanted, listenerOf(selection, sink))
  // Everything up to here happens in one turn: no change comes between the state and the events after it.
  const entries = stateOf(cache, selection, served.resource.namespaced)
  const start: WatchEvent[] = entries.map((entry) => ({ kind: 'object', type: 'ADDED', entry, of: undefined }))
  if (options.initialEvents && options.bookmarks)
    start.push({ kind: 'bookmark', revision: cache.revision, endsInitialEvents: true })
  if (start.length > 0) sink(start)
  return follow(cache, cache.revision, listenerOf(selection, sink))
}

function stateOf(cache: ResourceCache, selection: Selection, namespaced: boolean): Entry[] {
  const only = onlyKey(selection, namespaced)
  const candidates = only === undefined ? cache.range(prefixOf(selection)) : [cache.get(only)]
  return [...candidates].filter((entry) => entry !== undefined).filter((entry) => selects(selection, entry))
}

function listenerOf(selection: Selection, sink: WatchSink): Listener {
  return (events) => {
    const seen: WatchEvent[] = []
    for (const event of events) {
      const watched = watchedAs(event, selection, entryAt)
      if (watched !== undefined) seen.push({ kind: 'object', ...watched, of: event })
    }
    if (seen.length > 0) sink(seen)
  }
}

async function follow(cache: ResourceCache, after: number, listener: Listener): Promise<() => void> {
  try {
    return await cache.subscribe(after, listener)
  } catch (error) {
    if (error instanceof StoreError && error.code === 'compacted')
      throw new StatusError(expired(`too old resource version: ${after} (${cache.revision})`))
    throw error
  }
}

/** What a bookmark carries: its kind and a resourceVersion. */
export function bookmarkObject(served: Served, revision: number, endsInitialEvents: boolean): ApiObject {
  return {
    kind: served.resource.kind,
    apiVersion: served.apiVersion,
    metadata: {
      resourceVersion: String(revision),
      ...(endsInitialEvents ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {}),
    },
  }
}
