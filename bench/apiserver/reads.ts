// Reads: single objects, a list of pods, and a server that holds very many objects.
import { percentile, type Figures } from '../bench.ts'
import type { RawClient } from './raw-client.ts'
import { memoryMb, type Server } from './server.ts'
import { initialEvents } from './watches.ts'
import { connectAll, maps } from './writes.ts'

export async function gets(server: Server, seconds: number): Promise<Figures> {
  const clients = await connectAll(server, 64)
  let count = 0
  const begun = performance.now()
  const end = begun + seconds * 1000
  await Promise.all(
    clients.map(async (client) => {
      for (; performance.now() < end; count++) await client.request('GET', '/api/v1/namespaces/default')
    }),
  )
  for (const client of clients) client.close()
  return { get_64_per_s: count / ((performance.now() - begun) / 1000) }
}

export async function list(server: Server, count: number): Promise<Figures> {
  const clients = await connectAll(server, 32)
  await fill(clients, count, (n) => {
    const spec = {
      nodeName: `node-${n % 100}`,
      containers: [{ name: 'web', image: 'web:1', ports: [{ containerPort: 80 }] }],
    }
    const metadata = { name: `pod-${n}`, labels: { app: `app-${n % 50}`, 'pod-template-hash': 'abc' } }
    const body = JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata, spec })
    return { url: '/api/v1/namespaces/default/pods', body }
  })
  const all = await timed(clients[0]!, '/api/v1/pods?resourceVersion=0')
  const some = await timed(clients[0]!, '/api/v1/pods?labelSelector=app%3Dapp-7')
  for (const one of clients) one.close()
  return { list_10k_ms: all.ms, list_10k_mb: all.bytes / 1e6, list_selected_ms: some.ms }
}

/** Last, for the server is started anew. */
export async function objects(
  server: Server,
  count: number,
  restart: (server: Server) => Promise<Server>,
): Promise<Figures> {
  const clients = await connectAll(server, 64)
  const begun = performance.now()
  await fill(clients, count, (n) => ({
    url: maps,
    body: `{"metadata":{"name":"o-${n}","labels":{"app":"app-${n % 1000}"}},"data":{"value":"${'x'.repeat(200)}"}}`,
  }))
  const fillSeconds = (performance.now() - begun) / 1000
  const all = await timed(clients[0]!, `${maps}?resourceVersion=0`)
  const page = await timed(clients[0]!, `${maps}?limit=500`)
  const selected = await timed(clients[0]!, `${maps}?labelSelector=app%3Dapp-7`)
  const initialMs = await initialEvents(server)
  for (const one of clients) one.close()
  const memory = memoryMb(server)
  const again = await restart(server)
  const [client] = await connectAll(again, 1)
  const first = await timed(client!, `${maps}?limit=500`, 1)
  client!.close()
  return {
    objects_100k_fill_s: fillSeconds,
    objects_100k_list_ms: all.ms,
    objects_100k_page_ms: page.ms,
    objects_100k_selected_ms: selected.ms,
    objects_100k_initial_events_ms: initialMs,
    objects_100k_pss_mb: memory,
    objects_100k_start_ms: again.startMs,
    objects_100k_first_page_ms: first.ms,
  }
}

async function fill(
  clients: readonly RawClient[],
  count: number,
  of: (n: number) => { readonly url: string; readonly body: string },
): Promise<void> {
  let next = 0
  await Promise.all(
    clients.map(async (client) => {
      for (let n = next++; n < count; n = next++) {
        const { url, body } = of(n)
        const { code, body: reply } = await client.request('POST', url, body)
        if (code !== 201) throw new Error(`${url}: ${code}: ${reply.toString()}`)
      }
    }),
  )
}

async function timed(client: RawClient, path: string, rounds = 5): Promise<{ ms: number; bytes: number }> {
  const samples: number[] = []
  let bytes = 0
  for (let n = 0; n < rounds; n++) {
    const from = performance.now()
    bytes = (await client.request('GET', path)).body.length
    samples.push(performance.now() - from)
  }
  return { ms: percentile(samples, 0.5), bytes }
}
