// effect: the sockets that queries come by
import type { Logger } from '#daemon/log.ts'
import { listensOn, type ServerConfig } from '#dns/corefile/config.ts'
import type { Batches } from '#dns/serve/batches.ts'
import type { Responder } from '#dns/serve/responder.ts'
import { serveTcp } from '#dns/serve/tcp.ts'
import { serveUdp } from '#dns/serve/udp.ts'

export type ListenersOptions = {
  /** where nothing is said by `bind` */
  readonly addresses: readonly string[]
  /** threads of their own that answer UDP by batches; 0: the main thread does */
  readonly threads: number
  readonly batches: Batches
  readonly log: Logger
  /** asked for each query, so that sockets outlive a reload */
  responderOf(address: string, port: number): Responder
}

type Listener = { readonly address: string; readonly port: number; close(): Promise<void> }

/** Every address and port that is listened on, by UDP and TCP. */
export class Listeners implements AsyncDisposable {
  readonly #options: ListenersOptions
  #open: readonly Listener[] = []

  constructor(options: ListenersOptions) {
    this.#options = options
  }

  /**
   * Opens what these servers need and is not open, then closes what none of them needs. Where an address cannot be
   * listened on it throws a UserError, and all is as it was.
   */
  async use(configs: readonly ServerConfig[]): Promise<void> {
    const wanted = new Map<string, { readonly address: string; readonly port: number }>()
    for (const config of configs)
      for (const address of listensOn(config, this.#options.addresses))
        wanted.set(`${address} ${config.port}`, { address, port: config.port })
    const isWanted = ({ address, port }: Listener) => wanted.has(`${address} ${port}`)
    const opened: Listener[] = []
    try {
      for (const at of wanted.values())
        if (!this.#open.some(({ address, port }) => address === at.address && port === at.port))
          opened.push(await this.#listen(at))
    } catch (error) {
      await Promise.all(opened.map((listener) => listener.close()))
      throw error
    }
    const closing = this.#open.filter((listener) => !isWanted(listener))
    this.#open = [...this.#open.filter(isWanted), ...opened]
    await Promise.all(closing.map((listener) => listener.close()))
  }

  async #listen({ address, port }: { readonly address: string; readonly port: number }): Promise<Listener> {
    const { threads, batches, log, responderOf } = this.#options
    const responder: Responder = {
      respond: (...query) => responderOf(address, port).respond(...query),
      forget: (keys) => responderOf(address, port).forget(keys),
    }
    const ended = new AbortController()
    const at = { address, port, signal: ended.signal }
    const close = async () => {
      ended.abort()
      await batches.stop(address, port)
    }
    try {
      if (threads > 0) await batches.serve(responder, { address, port, threads })
      else serveUdp(responder, at)
      await serveTcp(responder, at)
    } catch (error) {
      await close()
      throw error
    }
    log.info(`Listening on ${address}:${port}, udp and tcp`)
    return { address, port, close }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#open.map((listener) => listener.close()))
  }
}
