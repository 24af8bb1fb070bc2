// What a controller is, and what each one is given.

import type { Client } from '#client/client.ts'
import type { Caches } from '#controllers/caches.ts'
import type { Settings } from '#controllers/flags.ts'
import type { Writer } from '#controllers/writer.ts'
import type { PartContext } from '#daemon/part.ts'
import type { Queue } from '#daemon/queue.ts'

export type Controller = {
  /** as --controllers and the metrics name it */
  readonly name: string
  /** the older name that --controllers takes as well */
  readonly alias?: string
  /** Runs until the signal is aborted. Asks for its caches before it first waits. */
  start(context: ControllerContext): Promise<void>
}

export type ControllerContext = PartContext & {
  readonly client: Client
  readonly caches: Caches
  readonly settings: Settings
  /** does what plans ask for; `component` is who the events are from */
  writer(component: string): Writer
  /** a work queue with the metrics of its name */
  queue(name: string, workers: number, handle: (key: string, signal: AbortSignal) => Promise<void>): Queue
}
