// The API server: durable creates, gets, lists, watches, start and memory. The load runs in this process, on the same
// cores as the server: figures are of both together.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { percentile, type Bench, type BenchOptions, type Figures } from './bench.ts'
import { startPeer, type Peer } from './apiserver/kube-apiserver.ts'
import { RawClient } from './apiserver/raw-client.ts'

const port = 16555
const peerName = 'kube-apiserver'

export const bench: Bench = {
  about: 'API server: creates at 1, 64 and 1000 clients, gets, a list of 10,000 pods, watches, start, memory',
  async run(options) {
    const folder = mkdtempSync(join(tmpdir(), 'fairway-bench-'))
    try {
      const figures = await measure(() => start(folder), options)
      const program = options.peers.get(peerName)
      if (program === undefined) return { figures, skipped: [`${peerName} is not here (--peer ${peerName}=PATH)`] }
      options.say(peerName)
      const theirs = await measure(() => startTheirs(program, join(folder, 'peer')), options)
      return { figures, peers: { [peerName]: theirs } }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
}

/** `processes`: the server itself, and what it keeps its objects in. */
type Server = Peer

const startTheirs = (program: string, folder: string): Promise<Server> => startPeer(program, folder)

async function measure(launch: () => Promise<Server>, options: BenchOptions): Promise<Figures> {
  const figures: Figures = {}
  const only = options.own.get('only')
  // The first start makes keys and fills the compile cache; the second is what users see.
  const first = await launch()
  await stop(first)
  const server = await launch()
  figures['start_ms'] = server.startMs
  figures['idle_pss_mb'] = memoryMb(server)
  try {
    for (const [name, section] of Object.entries(sectionsOf(server, options))) {
      if (only !== undefined && only !== name) continue
      options.say(name)
      for (const part of section) Object.assign(figures, await part())
    }
    figures['busy_pss_mb'] = memoryMb(server)
    return figures
  } finally {
    await stop(server)
  }
}

type Section = readonly (() => Promise<Figures>)[]

/** What is measured, in order; `--only NAME` takes one of them. */
function sectionsOf(server: Server, { short }: BenchOptions): Readonly<Record<string, Section>> {
  const crowds = short ? [1, 16] : [1, 64, 1000]
  return {
    creates: crowds.map((clients) => () => creates(server, clients, short ? 0.5 : 5)),
    gets: [() => gets(server, short ? 0.5 : 3)],
    list: [() => list(server, short ? 500 : 10_000)],
    watches: [() => watches(server, short ? 10 : 100, short ? 0.5 : 5)],
  }
}

async function start(folder: string): Promise<Server> {
  const begun = performance.now()
  const words = ['apiserver', '--bind-address', '127.0.0.1', '--secure-port', String(port)]
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', 'src/cli/main.ts', ...words, '--data-file', join(folder, 'store.db')],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let said = ''
  await new Promise<void>((resolve, reject) => {
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      if (said.includes('ready on port')) resolve()
    })
    child.once('exit', () => reject(new Error(`the server ended: ${said}`)))
  })
  const startMs = performance.now() - begun
  const text = readFileSync(join(folder, 'kubeconfig'), 'utf8')
  const field = (name: string) => Buffer.from(new RegExp(`${name}: (\\S+)`).exec(text)![1]!, 'base64').toString()
  const credentials = {
    ca: field('certificate-authority-data'),
    cert: field('client-certificate-data'),
    key: field('client-key-data'),
  }
  return { processes: [child], port, credentials, startMs }
}

async function stop({ processes }: Server): Promise<void> {
  for (const child of processes) {
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGTERM')
    await Promise.race([ended, sleep(5000)])
    if (child.exitCode === null) child.kill('SIGKILL')
  }
}

const memoryMb = ({ processes }: Server) => processes.reduce((sum, { pid }) => sum + pssMb(pid!), 0)

const maps = '/api/v1/namespaces/default/configmaps'

/** Each client creates one object after the other for this time. */
async function creates(server: Server, count: number, seconds: number): Promise<Figures> {
  const clients = await connectAll(server, count)
  const taken: number[] = []
  let errors = 0
  const begun = performance.now()
  const end = begun + seconds * 1000
  await Promise.all(
    clients.map(async (client, index) => {
      for (let n = 0; performance.now() < end; n++) {
        const name = `c${count}-${index}-${n}`
        const body = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"${name}"},"data":{"value":"${'x'.repeat(200)}"}}`
        const from = performance.now()
        const { code } = await client.request('POST', maps, body)
        if (code === 201) taken.push(performance.now() - from)
        else errors++
      }
    }),
  )
  const tookSeconds = (performance.now() - begun) / 1000
  for (const client of clients) client.close()
  return {
    [`create_${count}_per_s`]: taken.length / tookSeconds,
    [`create_${count}_p99_ms`]: percentile(taken, 0.99),
    [`create_${count}_errors`]: errors,
  }
}

async function gets(server: Server, seconds: number): Promise<Figures> {
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

async function list(server: Server, count: number): Promise<Figures> {
  const clients = await connectAll(server, 32)
  let next = 0
  await Promise.all(
    clients.map(async (client) => {
      for (let n = next++; n < count; n = next++) {
        const spec = {
          nodeName: `node-${n % 100}`,
          containers: [{ name: 'web', image: 'web:1', ports: [{ containerPort: 80 }] }],
        }
        const metadata = { name: `pod-${n}`, labels: { app: `app-${n % 50}`, 'pod-template-hash': 'abc' } }
        const body = JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata, spec })
        const { code, body: reply } = await client.request('POST', '/api/v1/namespaces/default/pods', body)
        if (code !== 201) throw new Error(`pod: ${code}: ${reply.toString()}`)
      }
    }),
  )
  const [client] = clients
  const timed = async (path: string) => {
    const samples: number[] = []
    let bytes = 0
    for (let n = 0; n < 5; n++) {
      const from = performance.now()
      bytes = (await client!.request('GET', path)).body.length
      samples.push(performance.now() - from)
    }
    return { ms: percentile(samples, 0.5), bytes }
  }
  const all = await timed('/api/v1/pods?resourceVersion=0')
  const some = await timed('/api/v1/pods?labelSelector=app%3Dapp-7')
  for (const one of clients) one.close()
  return { list_10k_ms: all.ms, list_10k_mb: all.bytes / 1e6, list_selected_ms: some.ms }
}

const changesPerSecond = 1000
const writers = 8

/** So many changes each second, seen by many: how long after the writer asked does a watcher know? */
async function watches(server: Server, count: number, seconds: number): Promise<Figures> {
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
  const { connect } = await import('node:tls')
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

const connectAll = (server: Server, count: number) =>
  Promise.all(Array.from({ length: count }, () => RawClient.connect(server.port, server.credentials)))

function pssMb(pid: number): number {
  const match = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))
  return Number(match?.[1] ?? Number.NaN) / 1024
}
