// effect: HTTP servers for health, readiness and metrics
import { once } from 'node:events'
import type { Server } from 'node:http'
import { createServer } from '#daemon/http.ts'
import type { ListenAddress } from '#dns/corefile/option.ts'
import { listenError } from '#dns/serve/udp.ts'

export type Page = () => { readonly status: number; readonly body: string; readonly type?: string }

export type PageAt = { readonly at: ListenAddress; readonly path: string; readonly page: Page }

type PageServer = { readonly server: Server; pages: ReadonlyMap<string, Page> }

/** Serves pages by path, one server for each address that is asked for. */
export class Pages implements AsyncDisposable {
  #servers = new Map<string, PageServer>()

  /** Serves these and no others. Throws a UserError where an address cannot be listened on; all is then as it was. */
  async use(pages: readonly PageAt[]): Promise<void> {
    const wanted = Map.groupBy(pages, ({ at }) => `${at.host}:${at.port}`)
    const opened = new Map<string, PageServer>()
    try {
      for (const [key, [first]] of wanted) if (!this.#servers.has(key)) opened.set(key, await listen(key, first!.at))
    } catch (error) {
      await Promise.all([...opened.values()].map(close))
      throw error
    }
    const unwanted = [...this.#servers].filter(([key]) => !wanted.has(key))
    this.#servers = new Map([...this.#servers, ...opened].filter(([key]) => wanted.has(key)))
    for (const [key, list] of wanted)
      this.#servers.get(key)!.pages = new Map(list.map(({ path, page }) => [path, page]))
    await Promise.all(unwanted.map(([, server]) => close(server)))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#servers.values()].map(close))
  }
}

async function listen(key: string, at: ListenAddress): Promise<PageServer> {
  const server = createServer((request, response) => {
    const found = served.pages.get((request.url ?? '').split('?')[0]!)?.()
    response.writeHead(found?.status ?? 404, { 'content-type': found?.type ?? 'text/plain; charset=utf-8' })
    response.end(found?.body ?? '404 page not found\n')
  })
  const served: PageServer = { server, pages: new Map() }
  server.listen({ port: at.port, ...(at.host === '' ? {} : { host: at.host }) })
  try {
    await once(server, 'listening')
  } catch (error) {
    throw listenError(error, `tcp ${key}`)
  }
  return served
}

function close({ server }: PageServer): Promise<void> {
  server.closeAllConnections()
  return new Promise((resolve) => server.close(() => resolve()))
}
