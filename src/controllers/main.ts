// effect: list and watch requests, writes to the API server
// Runs the controllers: one cache per kind for all of them, one queue for each.

import { hostname } from 'node:os'
import type { Client } from '#client/client.ts'
import { type Recorder, createRecorder } from '#client/events.ts'
import { electLeader } from '#client/lease.ts'
import { limitWrites } from '#client/limit.ts'
import { createCaches } from '#controllers/caches.ts'
import type { ControllerContext } from '#controllers/controller.ts'
import type { ControllerFlags, Settings } from '#controllers/flags.ts'
import { chosen } from '#controllers/roster.ts'
import { createWriter } from '#controllers/writer.ts'
import { messageOf } from '#daemon/error.ts'
import { serveHealth } from '#daemon/health.ts'
import type { PartContext } from '#daemon/part.ts'
import { createQueue } from '#daemon/queue.ts'

/** Of one controller at a time: more would not be faster, and would keep the others from the server. */
const mostWrites = 8
const mostEvents = 2

export type ControllersOptions = Omit<ControllerFlags, 'rootCaFile'> &
  Settings & {
    readonly client: Client
    /** told once, when all caches have their first list */
    onSynced?(): void
  }

/** Runs the controllers that the options name until the signal is aborted. */
export async function run(options: ControllersOptions, context: PartContext): Promise<void> {
  chosen(options.controllers)
  const { client, controllersHealthAddress: at } = options
  const { signal, log, clock, registry } = context
  let state: string | undefined = options.leaderElect ? 'waiting to become the leader' : 'caches are not synced yet'
  const onSynced = () => {
    state = undefined
    options.onSynced?.()
  }
  if (at !== undefined) {
    const checks = { caches: () => state }
    await serveHealth({ address: at.host, port: at.port, checks, notLive: ['caches'], registry, signal })
  }
  if (!options.leaderElect) return lead({ ...options, onSynced }, context)
  await electLeader({
    client,
    signal,
    log,
    clock,
    namespace: 'kube-system',
    name: 'kube-controller-manager',
    holder: `${hostname()}_${process.pid}`,
    lead: (signal) => lead({ ...options, onSynced }, { ...context, signal }),
  })
}

async function lead(options: ControllersOptions, context: PartContext): Promise<void> {
  const { client } = options
  const { clock, log } = context
  const stop = new AbortController()
  const signal = AbortSignal.any([context.signal, stop.signal])
  const caches = createCaches({ client, signal, log, clock })
  const recorders: Recorder[] = []
  const shared: ControllerContext = {
    ...context,
    signal,
    client,
    caches,
    settings: options,
    writer(component) {
      const recorder = createRecorder(limitWrites(client, mostEvents), { component, clock, log })
      recorders.push(recorder)
      return createWriter({ client: limitWrites(client, mostWrites), caches, recorder, clock })
    },
    queue: (name, workers, handle) => createQueue({ name, workers, handle, clock, log, registry: context.registry }),
  }
  const running = chosen(options.controllers).map(async (controller) => {
    try {
      await controller.start(shared)
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
