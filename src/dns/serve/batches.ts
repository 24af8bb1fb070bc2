// effect: threads
import type { DnsMetrics } from '#dns/metrics.ts'
import type { Server } from '#dns/resolver.ts'
import { serveBatches, type BatchServer } from '#dns/serve/batch.ts'
import type { BatchThreadData } from '#dns/serve/batch-thread.ts'
import type { Responder } from '#dns/serve/responder.ts'
import type { Zone, ZoneChange } from '#dns/zone.ts'

/** Every batch server of the process, kept at the state of one zone. Changes of one turn go to the threads together. */
export class Batches implements AsyncDisposable {
  readonly #zone: Zone
  readonly #metrics: DnsMetrics
  readonly #running: { readonly port: number; readonly server: BatchServer }[] = []
  #servers: readonly Server[] = []
  #changes: ZoneChange[] = []
  #scheduled = false

  constructor(zone: Zone, metrics: DnsMetrics) {
    this.#zone = zone
    this.#metrics = metrics
  }

  /** Must come before the zone's first change. */
  async serve(
    fallback: Responder,
    at: { readonly address: string; readonly port: number; readonly threads: number },
  ): Promise<void> {
    this.#running.push({
      port: at.port,
      server: await serveBatches(fallback, { ...at, servers: this.#ofPort(at.port) }),
    })
  }

  use(servers: readonly Server[]): void {
    this.#servers = servers
    for (const { port, server } of this.#running) server.use(this.#ofPort(port))
  }

  #ofPort(port: number): BatchThreadData['servers'] {
    return this.#servers
      .filter(({ config }) => config.port === port)
      .map(({ config, kubernetes }) => ({
        config,
        ...(kubernetes === undefined ? {} : { options: kubernetes.options }),
      }))
  }

  change(change: ZoneChange): void {
    this.#changes.push(change)
    this.changed()
  }

  /** The zone's state is other than it was, with or without changes of objects. */
  changed(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      const changes = this.#changes
      this.#changes = []
      this.#scheduled = false
      for (const { server } of this.#running) server.change(changes, this.#zone)
    })
  }

  /** Adds what the threads have answered to the metrics. */
  count(): void {
    for (const { port, server } of this.#running)
      server.counted((type, rcode, count) => this.#metrics.counted(`dns://:${port}`, type, rcode, count))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#running.map(({ server }) => server[Symbol.asyncDispose]()))
  }
}
