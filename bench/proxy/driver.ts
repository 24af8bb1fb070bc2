// Runs inside the namespace: an API server with Services in it, then the proxy, then changes.
import { fork, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { nodes, services, type Service } from '#api/core.ts'
import { endpointSlices, type EndpointSlice } from '#api/discovery.ts'
import type { Client } from '#client/client.ts'
import { silentLog } from '#daemon/log.ts'
import { cleanup } from '#proxy/leftovers.ts'
import type { Wanted } from '../proxy.ts'
import { percentile, type BenchResult, type Figures } from '../bench.ts'
import { inDefault, kubeconfigIn, makeServices, service, slice, startApiserver } from './cluster.ts'
import { connectTimes, serverIp, serverPort, startServer } from './connect-times.ts'
import type { Told } from './part.ts'

const wanted = JSON.parse(process.argv[2]!) as Wanted
const folder = mkdtempSync(join(tmpdir(), 'fairway-bench-proxy-'))
const kubeconfig = kubeconfigIn(folder)
const started: ChildProcess[] = []

async function measure(): Promise<BenchResult> {
  const { process: apiserver, client } = await startApiserver(folder)
  started.push(apiserver)
  console.log(`making ${wanted.services} Services with ${wanted.endpoints} endpoints each`)
  const server = await startServer()
  await makeObjects(client)
  const ends = await ipsOfEnds(client)
  const figures: Figures = {}
  console.log(`fairway proxy, ${wanted.mode}`)
  const first = await startProxy()
  figures['full_ms'] = first.fullMs
  figures['start_ms'] = first.startMs
  await sleep(1500)
  figures['idle_cpu_percent'] = await cpuPercent(first.process.pid!, sleep(wanted.changes * 10))
  figures['pss_mb'] = pssMb(first.process.pid!)
  for (const [name, ip] of Object.entries(ends))
    figures[`${name}_connect_us`] = percentile(await connectTimes(ip, wanted.changes), 0.5)
  const changes = await endpointChanges(client, first.process)
  figures['change_p50_ms'] = percentile(changes, 0.5)
  figures['change_p99_ms'] = percentile(changes, 0.99)
  const added = await serviceChanges(client, first.process)
  figures['service_p50_ms'] = percentile(added, 0.5)
  figures['busy_cpu_percent'] = await cpuPercent(first.process.pid!, hundredASecond(client))
  figures['burst_ms'] = await burst(client, first.process)
  figures['busy_pss_mb'] = pssMb(first.process.pid!)
  first.process.kill('SIGKILL')
  await once(first.process, 'exit')
  const second = await startProxy()
  figures['restart_ms'] = second.startMs
  figures['repair_ms'] = await repair(second.process)
  second.process.kill('SIGKILL')
  await once(second.process, 'exit')
  if (wanted.kubeProxy === undefined) {
    server.close()
    return { figures }
  }
  return { figures, peers: { 'kube-proxy': await measurePeer(client, wanted.kubeProxy) } }
}

/** Two Services more than asked for, one made before all others and one after them, which somebody answers. */
const answered = (name: string): readonly [Service, EndpointSlice] => [
  { ...service(0), metadata: { ...inDefault, name } },
  {
    metadata: { ...inDefault, name, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    endpoints: [{ addresses: [serverIp], nodeName: 'node-1', conditions: { ready: true, serving: true } }],
    ports: [{ name: 'http', port: serverPort, protocol: 'TCP' }],
  },
]
async function makeAnswered(client: Client, name: string): Promise<void> {
  const [one, its] = answered(name)
  await client.create(services, one)
  await client.create(endpointSlices, its)
}
async function ipsOfEnds(client: Client): Promise<Record<'first' | 'last', string>> {
  const ipOf = async (name: string) => (await client.get<Service>(services, name, inDefault)).spec?.clusterIP ?? ''
  return { first: await ipOf('first'), last: await ipOf('last') }
}

/** Of one processor, while something goes on. */
async function cpuPercent(pid: number, during: Promise<unknown>): Promise<number> {
  const ticks = () => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ')
    return Number(fields[11]) + Number(fields[12])
  }
  const [before, startMs] = [ticks(), performance.now()]
  await during
  return ((ticks() - before) * 10 * 100) / (performance.now() - startMs)
}

/** A change of an endpoint every 10 ms. */
async function hundredASecond(client: Client): Promise<void> {
  for (let n = 0; n < wanted.changes; n++) {
    const nextMs = performance.now() + 10
    await client.update(endpointSlices, slice(n % wanted.services, wanted.endpoints + 1 + (n % 2)))
    await sleep(Math.max(0, nextMs - performance.now()))
  }
}

async function makeObjects(client: Client): Promise<void> {
  const addresses = [{ type: 'InternalIP', address: '192.0.2.1' }]
  await client.create(nodes, { metadata: { name: 'node-1' }, status: { addresses } })
  await makeAnswered(client, 'first')
  await makeServices(client, wanted)
  await makeAnswered(client, 'last')
}

async function startProxy() {
  const startedMs = performance.now()
  const part = new URL('part.ts', import.meta.url).pathname
  const process = fork(part, [kubeconfig, wanted.mode, wanted.backend], {
    // as deploy/proxy.yaml has it
    execArgv: ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=2'],
  })
  started.push(process)
  for (;;) {
    const told = await next(process)
    if (told.kind === 'all') return { process, fullMs: told.ms, startMs: performance.now() - startedMs }
  }
}

async function next(process: ChildProcess): Promise<Told> {
  const [told] = (await once(process, 'message')) as [Told]
  return told
}

/** One endpoint more, then one fewer, each time of another Service: from the watch event to the kernel's ack. */
async function endpointChanges(client: Client, process: ChildProcess): Promise<number[]> {
  const times: number[] = []
  for (let n = 0; n < wanted.changes; n++) {
    const i = (n * 7919) % wanted.services
    for (const count of [wanted.endpoints + 1, wanted.endpoints]) {
      const told = next(process)
      await client.update(endpointSlices, slice(i, count))
      times.push((await told).ms)
    }
  }
  return times
}

async function serviceChanges(client: Client, process: ChildProcess): Promise<number[]> {
  const times: number[] = []
  for (let n = 0; n < Math.min(wanted.changes, 50); n++) {
    const told = next(process)
    await client.create(services, service(1_000_000 + n))
    times.push((await told).ms)
    const gone = next(process)
    await client.delete(services, `service-${1_000_000 + n}`, inDefault)
    times.push((await gone).ms)
  }
  return times
}

/** A thousand changes as fast as the API server takes them, until the last is in the kernel. */
async function burst(client: Client, process: ChildProcess): Promise<number> {
  const startedMs = performance.now()
  let lastMs = startedMs
  const listen = () => (lastMs = performance.now())
  process.on('message', listen)
  let n = 0
  const worker = async () => {
    for (let i = n++; i < 1000; i = n++)
      await client.update(endpointSlices, slice(i % wanted.services, wanted.endpoints + 1))
  }
  await Promise.all(Array.from({ length: 32 }, worker))
  for (let quietSince = lastMs; ; quietSince = lastMs) {
    await sleep(500)
    if (lastMs === quietSince) break
  }
  process.off('message', listen)
  return lastMs - startedMs
}

/** From somebody taking all rules away until they are there again. */
async function repair(process: ChildProcess): Promise<number> {
  await sleep(1500)
  const startedMs = performance.now()
  const whole = (async () => {
    while ((await next(process)).kind !== 'all');
  })()
  await cleanup(silentLog)
  await whole
  return performance.now() - startedMs
}

/** kube-proxy measures itself; its durations leave out the time that it waits before it begins. */
async function measurePeer(client: Client, path: string): Promise<Figures> {
  console.log(`kube-proxy, ${wanted.mode}`)
  await cleanup(silentLog)
  const words = ['--kubeconfig', kubeconfig, '--hostname-override', 'node-1', '--proxy-mode', wanted.mode]
  const others = [
    '--cluster-cidr',
    '10.244.0.0/16',
    '--conntrack-max-per-core',
    '0',
    '--kube-api-content-type',
    'application/json',
  ]
  const proxy = spawn(path, [...words, ...others], { stdio: 'ignore' })
  started.push(proxy)
  // In IPVS mode kube-proxy writes everything each time.
  const metric = (kind: string) => `kubeproxy_sync_${wanted.mode === 'ipvs' ? '' : kind}proxy_rules_duration_seconds`
  const full = await untilMore(metric('full_'), { sum: 0, count: 0 })
  const pss = pssMb(proxy.pid!)
  let before = await readHistogram(metric('partial_'))
  const times: number[] = []
  const seen: number[] = []
  for (let n = 0; n < Math.min(wanted.changes, 10); n++) {
    const startedMs = performance.now()
    await client.update(endpointSlices, slice((n * 7919) % wanted.services, wanted.endpoints + 2 + (n % 2)))
    const after = await untilMore(metric('partial_'), before)
    seen.push(performance.now() - startedMs)
    times.push(((after.sum - before.sum) / (after.count - before.count)) * 1000)
    before = after
  }
  proxy.kill('SIGKILL')
  return {
    full_ms: full.sum * 1000,
    pss_mb: pss,
    change_p50_ms: percentile(times, 0.5),
    change_p99_ms: percentile(times, 0.99),
    change_seen_p50_ms: percentile(seen, 0.5),
  }
}

type Sum = { readonly sum: number; readonly count: number }

async function readHistogram(name: string): Promise<Sum> {
  const text = await fetch('http://127.0.0.1:10249/metrics').then(
    (response) => response.text(),
    () => '',
  )
  const value = (suffix: string) =>
    Number(new RegExp(`^${name}_${suffix}\\{ip_family="IPv4"\\} (\\S+)`, 'm').exec(text)?.[1] ?? 0)
  return { sum: value('sum'), count: value('count') }
}

async function untilMore(name: string, before: Sum): Promise<Sum> {
  for (;;) {
    const now = await readHistogram(name)
    if (now.count > before.count) return now
    await sleep(5)
  }
}

function pssMb(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  return Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? Number.NaN) / 1024
}

try {
  console.log(JSON.stringify(await measure()))
} finally {
  for (const child of started) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
}
process.exit(0)
