// Ingress: HAProxy as `fairway ingress` steers it, against nginx and a proxy on Node, on one core and in turns; and the
// time from an Ingress to its first answer, with errors under load, at so many routes.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { tmpdir } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { services } from '#api/core.ts'
import { endpointSlices } from '#api/discovery.ts'
import { ingressClasses, ingresses } from '#api/networking.ts'
import { fakeClient } from '#client/fake.ts'
import { systemClock } from '#daemon/clock.ts'
import { createLogger } from '#daemon/log.ts'
import { createRegistry } from '#daemon/metrics.ts'
import { run } from '#ingress/main.ts'
import { type Bench, type Figures, percentile } from './bench.ts'

const ports = { pod: 18080, fairway: 18081, https: 18444, nginx: 18082, node: 18083 }

export const bench: Bench = {
  about: 'requests through HAProxy as we steer it, nginx and Node on one core each; edits at many routes under load',
  async run({ short, own, say }) {
    const routes = Number(own.get('routes') ?? (short ? 50 : 5000))
    const edits = Number(own.get('edits') ?? (short ? 20 : 1000))
    const seconds = short ? 1 : 3
    const rounds = short ? 1 : 3
    const folder = mkdtempSync(`${tmpdir()}/fairway-bench-`)
    const children: ChildProcess[] = []
    const ended = new AbortController()
    const client = fakeClient()
    let serving: Promise<void> | undefined
    const skipped = ['nginx', 'wrk', 'haproxy'].filter(
      (name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0,
    )
    if (skipped.length > 0) return { figures: {}, skipped: skipped.map((name) => `${name} is not installed`) }
    try {
      children.push(startNginx(folder, 'pod', podConfig), startNginx(folder, 'nginx', nginxConfig))
      children.push(spawn(process.execPath, ['-e', nodeProxy], { stdio: 'inherit' }))
      seed(client, routes)
      serving = startController(client, `${folder}/haproxy`, ended.signal)
      await Promise.all([ports.pod, ports.fairway, ports.nginx, ports.node].map(untilAnswers))
      const samples: Record<string, Load[]> = { fairway: [], nginx: [], node: [] }
      while (!existsSync(`${folder}/haproxy/pid`)) await sleep(10)
      const pids = {
        fairway: Number(readFileSync(`${folder}/haproxy/pid`, 'utf8')),
        nginx: workerOf(children[1]!.pid!),
        node: children[2]!.pid!,
      }
      for (let round = 0; round < rounds; round++)
        for (const name of ['fairway', 'nginx', 'node'] as const)
          samples[name]!.push(await load(ports[name], seconds, pids[name]))
      const figuresOf = (name: string): Figures => ({
        rps: percentile(
          samples[name]!.map(({ rps }) => rps),
          0.5,
        ),
        p99_ms: percentile(
          samples[name]!.map(({ p99Ms }) => p99Ms),
          0.5,
        ),
        cpu_us_per_request: percentile(
          samples[name]!.map(({ cpuUs = Number.NaN }) => cpuUs),
          0.5,
        ),
      })
      say(`${routes} routes; ${edits} edits under load`)
      const changed = await editUnderLoad(client, edits)
      return {
        figures: { ...figuresOf('fairway'), ...changed },
        peers: { nginx: figuresOf('nginx'), node: figuresOf('node') },
      }
    } finally {
      ended.abort()
      await serving
      for (const child of children) child.kill('SIGTERM')
      await Promise.all(children.map((child) => child.exitCode ?? child.signalCode ?? once(child, 'exit')))
      rmSync(folder, { recursive: true })
    }
  },
}

type Client = ReturnType<typeof fakeClient>

const rule = (host: string) => ({
  metadata: { name: host.replaceAll('.', '-'), namespace: 'default' },
  spec: {
    rules: [
      {
        host,
        http: {
          paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'pod', port: { number: 80 } } } }],
        },
      },
    ],
  },
})

function seed(client: Client, routes: number): void {
  client.seed(ingressClasses, {
    metadata: { name: 'fairway', annotations: { 'ingressclass.kubernetes.io/is-default-class': 'true' } },
    spec: { controller: 'fairway/ingress' },
  })
  client.seed(services, { metadata: { name: 'pod', namespace: 'default' }, spec: { ports: [{ port: 80 }] } })
  client.seed(endpointSlices, {
    metadata: { name: 'pod-x', namespace: 'default', labels: { 'kubernetes.io/service-name': 'pod' } },
    addressType: 'IPv4',
    ports: [{ port: ports.pod }],
    endpoints: [{ addresses: ['127.0.0.1'], conditions: { ready: true } }],
  })
  for (let i = 0; i < routes; i++) client.seed(ingresses, rule(`host-${i}.test`))
}

function startController(client: Client, folder: string, signal: AbortSignal): Promise<void> {
  return run(
    {
      client,
      folder,
      http: `127.0.0.1:${ports.fairway}`,
      https: `127.0.0.1:${ports.https}`,
      threads: 1,
      accessLog: false,
      trustedProxies: [],
      leaderElect: false,
      leaseNamespace: 'kube-system',
      publishService: undefined,
      publishAddresses: [],
      onServing: () => undefined,
    },
    {
      signal,
      clock: systemClock,
      log: createLogger({ format: 'text', level: 0, write: (line) => void process.stderr.write(line) }),
      registry: createRegistry(),
    },
  )
}

/** One worker each, as HAProxy has one thread; connections to the endpoint are kept. */
const nginx = (folder: string, name: string, http: string) => `
worker_processes 1; daemon off; pid ${folder}/${name}.pid; error_log stderr crit;
events { worker_connections 2000; }
http { access_log off; keepalive_requests 1000000; client_body_temp_path ${folder}/${name}-body; proxy_temp_path ${folder}/${name}-proxy;
  fastcgi_temp_path ${folder}/${name}-f; uwsgi_temp_path ${folder}/${name}-u; scgi_temp_path ${folder}/${name}-s; ${http} }`
const podConfig = `server { listen 127.0.0.1:${ports.pod}; location / { return 200 "pod"; } }`
const nginxConfig = `upstream pod { server 127.0.0.1:${ports.pod}; keepalive 128; keepalive_requests 1000000; }
  server { listen 127.0.0.1:${ports.nginx}; location / { proxy_pass http://pod; proxy_http_version 1.1; proxy_set_header Connection "";
    proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-Host $host; proxy_set_header X-Real-IP $remote_addr; proxy_set_header X-Request-ID $request_id; } }`

function startNginx(folder: string, name: string, http: string): ChildProcess {
  writeFileSync(`${folder}/${name}.conf`, nginx(folder, name, http))
  return spawn('nginx', ['-e', 'stderr', '-c', `${folder}/${name}.conf`], { stdio: 'inherit' })
}

/** The least that a proxy on Node can be: a lookup, the headers, and kept connections. */
const nodeProxy = `
const http = require('node:http')
const agent = new http.Agent({ keepAlive: true, maxSockets: 128 })
const routes = new Map([['host-1.test', ${ports.pod}]])
http.createServer((request, response) => {
  const port = routes.get(request.headers.host)
  if (port === undefined) return response.writeHead(404).end()
  const headers = { ...request.headers, 'x-forwarded-for': request.socket.remoteAddress, 'x-forwarded-proto': 'http',
    'x-forwarded-host': request.headers.host, 'x-real-ip': request.socket.remoteAddress, 'x-request-id': crypto.randomUUID() }
  const out = http.request({ agent, host: '127.0.0.1', port, method: request.method, path: request.url, headers }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers)
    answer.pipe(response)
  })
  out.on('error', () => response.writeHead(502).end())
  request.pipe(out)
}).listen(${ports.node}, '127.0.0.1')
`

async function untilAnswers(port: number): Promise<void> {
  for (const end = performance.now() + 30_000; ; await sleep(20)) {
    if ((await ask(port, 'host-1.test')) === 200) return
    if (performance.now() > end) throw new Error(`nothing answers at port ${port}`)
  }
}

function ask(port: number, host: string, agent?: Agent): Promise<number | undefined> {
  return new Promise((resolve) => {
    get({ host: '127.0.0.1', port, headers: { host }, ...(agent && { agent }) }, (answer) => {
      answer.resume().on('end', () => resolve(answer.statusCode))
    }).on('error', () => resolve(undefined))
  })
}

/** `cpuUs`: what a request cost the proxy's process, which is what counts where others use the machine too. */
type Load = { readonly rps: number; readonly p99Ms: number; readonly errors: number; readonly cpuUs?: number }

const workerOf = (pid: number): number =>
  Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')[0])

/** Microseconds of processor time, in user and kernel mode. */
function cpuUsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10_000
}

async function load(port: number, seconds: number, pid: number): Promise<Load> {
  const before = cpuUsOf(pid)
  const words = ['-t1', '-c64', `-d${seconds}`, '--latency', '-H', 'Host: host-1.test', `http://127.0.0.1:${port}/`]
  const child = spawn('wrk', words, { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part))
  await once(child, 'close')
  const requests = Number(/(\d+) requests in/.exec(text)?.[1])
  return { ...readWrk(text), cpuUs: (cpuUsOf(pid) - before) / requests }
}

function readWrk(text: string): Load {
  const rps = Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1])
  const [, value, unit] = /99%\s+([\d.]+)(us|ms|s)/.exec(text) ?? []
  const failed = /Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0
  const [, ...broken] = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text) ?? []
  const errors = Number(failed) + broken.reduce((sum, count) => sum + Number(count), 0)
  return { rps, p99Ms: Number(value) * ({ us: 0.001, ms: 1, s: 1000 }[unit ?? ''] ?? Number.NaN), errors }
}

/** Each edit makes a route, waits for its first answer, and takes it away again; all the time wrk asks for another. */
async function editUnderLoad(client: Client, edits: number): Promise<Figures> {
  const agent = new Agent({ keepAlive: true })
  const words = ['-t1', '-c16', '-d600', '--latency', '-H', 'Host: host-1.test', `http://127.0.0.1:${ports.fairway}/`]
  const child = spawn('wrk', words, { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part))
  const took: number[] = []
  for (let i = 0; i < edits; i++) {
    const host = `edit-${i}.test`
    const startMs = performance.now()
    client.seed(ingresses, rule(host))
    while ((await ask(ports.fairway, host, agent)) !== 200)
      if (performance.now() - startMs > 30_000) throw new Error(`${host} is not served`)
    took.push(performance.now() - startMs)
    await client.delete(ingresses, host.replaceAll('.', '-'), { namespace: 'default' })
  }
  child.kill('SIGINT')
  await once(child, 'close')
  agent.destroy()
  const { errors, rps } = readWrk(text)
  return {
    edit_errors: errors,
    edit_rps: rps,
    propagation_p50_ms: percentile(took, 0.5),
    propagation_p99_ms: percentile(took, 0.99),
  }
}
