// effect: threads
import { listensOn } from '#dns/corefile/config.ts'
import type { DnsMetrics } from '#dns/metrics.ts'
import type { Server } from '#dns/resolver.ts'
import { serveBatches, type BatchServer } from '#dns/serve/batch.ts'
import type { BatchConfig } from '#dns/serve/batch-thread.ts'
import type { Responder } from '#dns/serve/responder.ts'
import { Zone, type ZoneChange } from '#dns/zone.ts'

/** Every batch server of the process, kept at the state of one zone. Changes of one turn go to the threads together. */
export class Batches implements AsyncDisposable {
  readonly #metrics: DnsMetrics
  readonly #addresses: readonly string[]
  #zone = new Zone()
  #running: readonly { readonly address: string; readonly port: number; readonly server: BatchServer }[] = []
  #servers: readonly Server[] = []
  #changes: ZoneChange[] = []
  #scheduled = false

  /** `addresses`: where blocks without `bind` listen. */
  constructor(metrics: DnsMetrics, addresses: readonly string[]) {
    this.#metrics = metrics
    this.#addresses = addresses
  }

  async serve(
    fallback: Responder,
    at: { readonly address: string; readonly port: number; readonly threads: number },
  ): Promise<void> {
    const server = await serveBatches(fallback, { ...at, servers: this.#serversAt(at.address, at.port) })
    server.change([...this.#zone.snapshot()], this.#zone)
    this.#running = [...this.#running, { address: at.address, port: at.port, server }]
  }

  async stop(address: string, port: number): Promise<void> {
    const isIt = (running: { readonly address: string; readonly port: number }) =>
      running.address === address && running.port === port
    const stopping = this.#running.filter(isIt)
    this.#running = this.#running.filter((running) => !isIt(running))
    this.count(stopping)
    await Promise.all(stopping.map(({ server }) => server[Symbol.asyncDispose]()))
  }

  /** Answers by these servers from now on, and by this zone. */
  use(servers: readonly Server[], zone: Zone): void {
    this.#servers = servers
    for (const { address, port, server } of this.#running) server.use(this.#serversAt(address, port))
    if (zone === this.#zone) return
    this.#zone = zone
    this.#changes = []
    for (const { server } of this.#running) {
      server.reset()
      server.change([...zone.snapshot()], zone)
    }
  }

  #serversAt(address: string, port: number): BatchConfig['servers'] {
    return this.#servers
      .filter(({ config }) => config.port === port && listensOn(config, this.#addresses).includes(address))
      .map(({ config, kubernetes }) => ({
        config,
        ...(kubernetes === undefined ? {} : { options: kubernetes.options }),
      }))
  }

  /** The zone has changed, also where no object has: it is synced now. */
  change(change: ZoneChange | undefined): void {
    if (change !== undefined) this.#changes.push(change)
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
  count(running = this.#running): void {
    for (const { port, server } of running)
      for (const counted of server.counted()) this.#metrics.counted({ ...counted, server: `dns://:${port}` })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#running.map(({ server }) => server[Symbol.asyncDispose]()))
  }
}
