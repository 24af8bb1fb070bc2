// Keeps something in step with a resource: told of every object that is there, then of every change, in the turn in which
// the cache learns of it.

import type { ApiObject } from '#api/meta.ts'
import type { ResourceCache } from '#apiserver/cache/resource-cache.ts'

export type Follower<T extends ApiObject> = {
  set(key: string, object: T): void
  gone(key: string): void
  /** after each batch of changes, also the first */
  settled?(): void
}

/** Resolves when the follower knows all that was there at the call; the answer ends it. */
export async function follow<T extends ApiObject>(cache: ResourceCache, follower: Follower<T>): Promise<() => void> {
  await cache.fresh()
  for (const entry of cache.range()) follower.set(entry.key, entry.object as T)
  follower.settled?.()
  return cache.subscribe(cache.revision, (events) => {
    for (const { kind, entry } of events)
      if (kind === 'deleted') follower.gone(entry.key)
      else follower.set(entry.key, entry.object as T)
    follower.settled?.()
  })
}
