// effect: HTTP servers for health, readiness and metrics
import { once } from 'node:events'
import type { Server } from 'node:http'
import { createServer } from '#daemon/http.ts'
import type { ListenAddress } from '#dns/corefile/config.ts'
import { listenError } from '#dns/serve/udp.ts'

export type Page = () => { readonly status: number; readonly body: string; readonly type?: string }

/** Serves pages by path, one server for each address that is asked for, until `close`. */
export class Pages implements AsyncDisposable {
  readonly #servers = new Map<string, { readonly server: Server; readonly pages: Map<string, Page> }>()

  async add(at: ListenAddress, path: string, page: Page): Promise<void> {
    const key = `${at.host}:${at.port}`
    const known = this.#servers.get(key)
    if (known !== undefined) {
      known.pages.set(path, page)
      return
    }
    const pages = new Map([[path, page]])
    const server = createServer((request, response) => {
      const found = pages.get((request.url ?? '').split('?')[0]!)?.()
      response.writeHead(found?.status ?? 404, { 'content-type': found?.type ?? 'text/plain; charset=utf-8' })
      response.end(found?.body ?? '404 page not found\n')
    })
    this.#servers.set(key, { server, pages })
    server.listen({ port: at.port, ...(at.host === '' ? {} : { host: at.host }) })
    try {
      await once(server, 'listening')
    } catch (error) {
      throw listenError(error, `tcp ${key}`)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { server } of this.#servers.values()) {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  }
}
