// effect: list and watch requests, writes to the API server
// Runs controllers side by side: one cache per kind for all of them, one queue for each.

import type { ApiObject } from '#api/meta.ts'
import type { Resource } from '#api/resource.ts'
import type { Client } from '#client/client.ts'
import { createCaches } from '#client/control/caches.ts'
import type { Controller, ControllerContext } from '#client/control/controller.ts'
import { withoutManagedFields } from '#client/control/managed-fields.ts'
import { createWriter } from '#client/control/writer.ts'
import { type Recorder, createRecorder } from '#client/events.ts'
import { limitWrites } from '#client/limit.ts'
import { messageOf } from '#daemon/error.ts'
import type { PartContext } from '#daemon/part.ts'
import { createQueue } from '#daemon/queue.ts'

/** Of one controller at a time: more would not be faster, and would keep the others from the server. */
const mostWrites = 8
const mostEvents = 2

export type RunOptions<Settings> = {
  /** fills the caches */
  readonly client: Client
  /** as whom a controller writes; default: as `client` */
  clientFor?(controller: string): Client
  readonly controllers: readonly Controller<Settings>[]
  readonly settings: Settings
  /** what is kept of an object of a kind, always its metadata; default: all but its managed fields */
  slimOf?(resource: Resource): (object: ApiObject) => ApiObject
  /** Whether that is all that a client may write of it, so that updates can stand for patches. */
  isWhole?(resource: Resource, object: ApiObject): boolean
  /** told once, when all caches have their first list */
  onSynced?(): void
}

/** Runs the controllers until the signal is aborted. Where one fails all end, and its error is thrown. */
export async function runControllers<Settings>(options: RunOptions<Settings>, context: PartContext): Promise<void> {
  const { client, slimOf = () => withoutManagedFields, isWhole = () => false } = options
  const { clock, log } = context
  const stop = new AbortController()
  const signal = AbortSignal.any([context.signal, stop.signal])
  const caches = createCaches({ client, signal, log, clock, slimOf })
  const recorders: Recorder[] = []
  const contextFor = (own: Client): ControllerContext<Settings> => ({
    ...context,
    signal,
    client: own,
    caches,
    settings: options.settings,
    writer(component) {
      const recorder = createRecorder(limitWrites(own, mostEvents), { component, clock, log })
      recorders.push(recorder)
      return createWriter({ client: limitWrites(own, mostWrites), caches, recorder, clock, isWhole })
    },
    queue: (name, workers, handle) => createQueue({ name, workers, handle, clock, log, registry: context.registry }),
  })
  const running = options.controllers.map(async (controller) => {
    try {
      await controller.start(contextFor(options.clientFor?.(controller.name) ?? client))
    } catch (error) {
      // An aborted wait for the caches ends this way.
      if (signal.aborted) return
      log.error('controller failed', { controller: controller.name, err: messageOf(error) })
      stop.abort(error)
      throw error
    }
  })
  caches
    .synced()
    .then(() => {
      log.info('caches are synced')
      options.onSynced?.()
    })
    .catch(() => {})
  const results = await Promise.allSettled(running)
  await Promise.all(recorders.map((recorder) => recorder.flush()))
  const failed = results.find((result) => result.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}
