// What a controller is, and what each one is given. A room that has controllers says what its settings are.

import type { Client } from '#client/client.ts'
import type { Caches } from '#client/control/caches.ts'
import type { Writer } from '#client/control/writer.ts'
import type { PartContext } from '#daemon/part.ts'
import type { Queue } from '#daemon/queue.ts'

export type Controller<Settings> = {
  /** as flags and metrics name it */
  readonly name: string
  /** the older name that flags take as well */
  readonly alias?: string
  /** Runs until the signal is aborted. Asks for its caches before it first waits. */
  start(context: ControllerContext<Settings>): Promise<void>
}

export type ControllerContext<Settings> = PartContext & {
  readonly client: Client
  readonly caches: Caches
  readonly settings: Settings
  /** does what plans ask for; `component` is who the events are from */
  writer(component: string): Writer
  /** a work queue with the metrics of its name */
  queue(name: string, workers: number, handle: (key: string, signal: AbortSignal) => Promise<void>): Queue
}
