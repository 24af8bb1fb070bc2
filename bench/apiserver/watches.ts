// So many changes each second, seen by many: how long after the writer asked does a watcher know?
import { connect } from 'node:tls'
import { setTimeout as sleep } from 'node:timers/promises'
import { percentile, type Figures } from '../bench.ts'
import { RawClient } from './raw-client.ts'
import type { Server } from './server.ts'
import { connectAll, maps } from './writes.ts'

const changesPerSecond = 1000
const writers = 8

export async function watches(server: Server, count: number, seconds: number): Promise<Figures> {
  const clients = await connectAll(server, writers)
  const sent = new Map<string, number>()
  const lags: number[] = []
  let seen = 0
  const watchers = await Promise.all(
    Array.from({ length: count }, (_, index) =>
      openWatch(server, (names, at) => {
        seen += names.length
        // One watcher in ten is looked at closely: telling the time for all of them would be the load.
        if (index % 10 === 0) for (const name of names) lags.push(at - (sent.get(name) ?? at))
      }),
    ),
  )
  const begun = performance.now()
  let written = 0
  await Promise.all(
    clients.map(async (client) => {
      while (performance.now() < begun + seconds * 1000) {
        const name = `w-${written++}`
        sent.set(name, performance.now())
        await client.request('POST', maps, `{"metadata":{"name":"${name}"}}`)
        const ahead = begun + (written * 1000) / changesPerSecond - performance.now()
        if (ahead > 1) await sleep(ahead)
      }
    }),
  )
  const tookSeconds = (performance.now() - begun) / 1000
  await sleep(1000)
  for (const one of [...watchers, ...clients]) one.close()
  return {
    watch_changes_per_s: written / tookSeconds,
    watch_lag_p50_ms: percentile(lags, 0.5),
    watch_lag_p99_ms: percentile(lags, 0.99),
    watch_lost: written * count - seen,
  }
}

async function openWatch(server: Server, onNames: (names: string[], at: number) => void): Promise<{ close(): void }> {
  const socket = connect({ host: '127.0.0.1', port: server.port, ...server.credentials, ALPNProtocols: ['http/1.1'] })
  await new Promise((resolve) => socket.once('secureConnect', resolve))
  let rest = ''
  const ready = Promise.withResolvers<void>()
  socket.on('data', (chunk: Buffer) => {
    const at = performance.now()
    ready.resolve()
    const text = rest + chunk.toString('latin1')
    const last = text.lastIndexOf('\n')
    rest = text.slice(last + 1)
    onNames(
      Array.from(
        text.slice(0, last + 1).matchAll(/"type":"ADDED","object":[^\n]*?"name":"(w-\d+)"/g),
        (match) => match[1]!,
      ),
      at,
    )
  })
  const { body } = await (await RawClient.connect(server.port, server.credentials)).request('GET', `${maps}?limit=1`)
  const { resourceVersion } = (JSON.parse(body.toString()) as { metadata: { resourceVersion: string } }).metadata
  socket.write(`GET ${maps}?watch=true&resourceVersion=${resourceVersion} HTTP/1.1\r\nHost: bench\r\n\r\n`)
  await ready.promise
  return { close: () => socket.destroy() }
}

/** Milliseconds until a watch that begins with what is there has shown all of it: how informers start. */
export async function initialEvents(server: Server): Promise<number> {
  const socket = connect({ host: '127.0.0.1', port: server.port, ...server.credentials, ALPNProtocols: ['http/1.1'] })
  await new Promise((resolve) => socket.once('secureConnect', resolve))
  const query = 'watch=true&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan'
  const begun = performance.now()
  socket.write(`GET ${maps}?${query} HTTP/1.1\r\nHost: bench\r\n\r\n`)
  let end = Buffer.alloc(0)
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    end = Buffer.concat([end.subarray(-200), chunk])
    if (end.includes('k8s.io/initial-events-end')) break
  }
  return performance.now() - begun
}
