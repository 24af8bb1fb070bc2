// An API server that has the benchmark's objects and tells of one change after the other, on request: just enough for a
// client that lists and watches.
import { createServer, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { objectsOf } from './names.ts'

export type BenchApi = AsyncDisposable & {
  readonly url: string
  /** Sends a new version of an endpoint slice to everyone who watches; answers when that was, by performance.now(). */
  change(slice: object): number
}

export async function startApi(names: number): Promise<BenchApi> {
  const objects = objectsOf(names)
  const watchers = new Set<ServerResponse>()
  let last = ''
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://api')
    const collection = url.pathname.split('/').at(-1)!
    response.setHeader('content-type', 'application/json')
    if (url.searchParams.has('watch')) {
      response.flushHeaders()
      if (collection !== 'endpointslices') return
      // Who comes back after a pause has missed no more than the last change.
      if (last !== '') response.write(last)
      watchers.add(response)
      response.on('close', () => watchers.delete(response))
      return
    }
    const all = objects[collection] ?? []
    const from = Number(url.searchParams.get('continue') ?? 0)
    const next = from + Number(url.searchParams.get('limit') ?? all.length)
    const metadata = { resourceVersion: '1', ...(next < all.length ? { continue: String(next) } : {}) }
    response.end(JSON.stringify({ kind: 'List', metadata, items: all.slice(from, next) }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    change(slice) {
      last = `${JSON.stringify({ type: 'MODIFIED', object: slice })}\n`
      const sent = performance.now()
      for (const watcher of watchers) watcher.write(last)
      return sent
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
