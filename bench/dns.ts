// DNS on one core, dnsperf on the other: hits, search paths, headless Services, SRV, what is forwarded and cached; at
// 10,000 and at 150,000 names. NSD, Knot and BIND where installed, CoreDNS by path.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { build, type BuildOptions } from 'esbuild'
import { allocatorEnvironment, smallYoungSpace } from '#daemon/allocator.ts'
import { decodeMessage, encodeMessage, queryMessage } from '#dns/wire/message.ts'
import { classIn, recordTypes } from '#dns/wire/record.ts'
import { percentile, type Bench, type BenchOptions, type Figures } from './bench.ts'
import { startApi, type BenchApi } from './dns/api.ts'
import { measureLatency, measureRate, memoryMb, perf } from './dns/load.ts'
import { renderQueries, renderZone, sliceOf, type Workload } from './dns/names.ts'
import { corefile, peerServers, type Place } from './dns/servers.ts'

const debianPeers: Readonly<Record<string, string>> = { nsd: 'nsd', knot: 'knotd', bind: 'named' }
const firstPort = 5390
const upstreamPort = 5388
const metricsPort = 5389
const workloads: readonly Workload[] = ['hits', 'search', 'headless', 'srv', 'cached']

export const bench: Bench = {
  about: 'DNS on one core: queries by kind, memory, and how soon a changed endpoint is answered',
  async run(options) {
    if (which('dnsperf') === undefined)
      return { figures: {}, skipped: ['dnsperf is not installed (Debian package dnsperf)'] }
    const sizes = (options.own.get('names') ?? (options.short ? '1000' : '10000,150000')).split(',').map(Number)
    const folder = mkdtempSync(join(tmpdir(), 'fairway-dns-'))
    const upstream = spawn(process.execPath, ['bench/dns/upstream.ts', String(upstreamPort)], { stdio: 'ignore' })
    const figures: Figures = {}
    const peers: Record<string, Figures> = {}
    const skipped: string[] = []
    try {
      // Threads load their own file, which is in no bundle.
      const program = options.own.has('threads') ? join(import.meta.dirname, 'dns/server.ts') : await bundle()
      for (const [index, names] of sizes.entries()) {
        const kinds = index === 0 ? workloads : (['hits'] as const)
        const place = { folder, zone: join(folder, 'zone'), port: firstPort, upstream: upstreamPort }
        writeFileSync(place.zone, renderZone(names))
        for (const kind of workloads) writeFileSync(join(folder, kind), renderQueries(kind, names))
        options.say(`${names} names: fairway`)
        Object.assign(figures, await measureOwn(program, place, names, kinds, options))
        for (const [name, server] of Object.entries(peerServers)) {
          const path = options.peers.get(name) ?? which(debianPeers[name] ?? '')
          if (path === undefined) skipped.push(`${name} is not here (--peer ${name}=PATH)`)
          else if (!options.short || options.peers.has(name)) {
            options.say(`${names} names: ${name}`)
            place.port++
            const child = spawnOnCore(server.command(path, place))
            const able = kinds.filter((kind) => server.forwards || kind !== 'cached')
            peers[name] = { ...peers[name], ...(await measure(child, place, names, able, options)) }
            await end(child)
          }
        }
      }
      return { figures, peers, skipped: [...new Set(skipped)] }
    } finally {
      await end(upstream)
      rmSync(folder, { recursive: true, force: true })
    }
  },
}

async function measureOwn(
  program: string,
  place: Place,
  names: number,
  kinds: readonly Workload[],
  options: BenchOptions,
): Promise<Figures> {
  await using api = await startApi(names)
  const conf = join(place.folder, 'fairway.conf')
  writeFileSync(conf, corefile(place, metricsPort))
  // As its image does.
  const words = [process.execPath, smallYoungSpace, program, conf, api.url, options.own.get('threads') ?? '0']
  const child = spawnOnCore(words, allocatorEnvironment)
  try {
    const figures = await measure(child, place, names, kinds, options)
    const took = await measureChanges(api, place, options.short ? 20 : 200)
    figures[`change_p50_${names}_ms`] = percentile(took, 0.5)
    figures[`change_p99_${names}_ms`] = percentile(took, 0.99)
    // What CoreDNS says that it needs: one MB for a thousand Services and pods, and 54.
    figures[`rule_${names}_mb`] = (2 * names) / 1000 + 54
    return figures
  } finally {
    await end(child)
  }
}

async function measure(
  child: ChildProcess,
  { port, folder }: Place,
  names: number,
  kinds: readonly Workload[],
  options: BenchOptions,
): Promise<Figures> {
  const figures: Figures = {}
  const started = performance.now()
  await answering(port, join(folder, 'hits'))
  figures[`start_${names}_ms`] = performance.now() - started
  const pid = child.pid!
  for (const kind of kinds) {
    const { qps, coreQps } = measureRate(port, pid, join(folder, kind), options.short ? 1 : 4, kind === 'headless')
    figures[`${kind}_${names}_qps`] = qps
    figures[`${kind}_${names}_core_qps`] = coreQps
  }
  const { p50, p99 } = measureLatency(port, join(folder, 'hits'), 2, options.short ? 1000 : 100_000)
  figures[`hits_p50_${names}_ms`] = p50
  figures[`hits_p99_${names}_ms`] = p99
  const { rss, pss } = memoryMb(pid)
  figures[`rss_${names}_mb`] = rss
  figures[`pss_${names}_mb`] = pss
  return figures
}

/** Milliseconds from each watch event to the first answer that has it, with queries running. */
async function measureChanges(api: BenchApi, { port, folder }: Place, rounds: number): Promise<number[]> {
  const load = spawn(
    'taskset',
    [
      '-c',
      '1',
      'dnsperf',
      '-s',
      '127.0.0.1',
      '-p',
      String(port),
      '-d',
      join(folder, 'hits'),
      '-Q',
      '20000',
      '-l',
      '600',
    ],
    { stdio: 'ignore' },
  )
  const socket = createSocket('udp4')
  const query = queryFor('big.default.svc.cluster.local')
  const took: number[] = []
  try {
    for (let round = 0; round < rounds; round++) {
      const last = 1 + (round % 250)
      const sent = api.change(sliceOf('big', [`10.251.0.${last}`], String(round + 2)))
      for (const limit = sent + 10_000; ;) {
        socket.send(query, port, '127.0.0.1')
        const [bytes] = (await once(socket, 'message', { signal: AbortSignal.timeout(10_000) })) as [Buffer]
        const data = decodeMessage(bytes)?.answers[0]?.data
        if (data?.kind === 'address' && data.bytes[3] === last && data.bytes[1] === 251) break
        if (performance.now() > limit) throw new Error('a changed endpoint was not answered within 10 s')
      }
      took.push(performance.now() - sent)
    }
    return took
  } finally {
    socket.close()
    await end(load)
  }
}

const queryFor = (name: string): Uint8Array =>
  encodeMessage(queryMessage(1, { name, type: recordTypes.A, class: classIn }))

/** One file: Node then needs no stripper of types. */
async function bundle(): Promise<string> {
  const out = join(process.cwd(), 'node_modules/.cache/bench')
  mkdirSync(out, { recursive: true })
  const outfile = join(mkdtempSync(join(out, 'dns-')), 'server.mjs')
  const kind = { bundle: true, platform: 'node', format: 'esm', external: ['koffi'] } satisfies BuildOptions
  await build({ ...kind, entryPoints: ['bench/dns/server.ts'], outfile, logLevel: 'error' })
  return outfile
}

const spawnOnCore = (command: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  spawn('taskset', ['-c', '0', ...command], { stdio: 'ignore', env: { ...process.env, ...env } })

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  child.kill('SIGTERM')
  await Promise.race([once(child, 'exit'), sleep(3000)])
  if (child.exitCode === null) child.kill('SIGKILL')
}

async function answering(port: number, queries: string): Promise<void> {
  for (let i = 0; i < 600; i++) {
    if (/completed:\s+[1-9]/.test(perf(port, queries, ['-n', '1', '-l', '0.2', '-q', '1', '-t', '1']))) return
    await sleep(100)
  }
  throw new Error(`no DNS server answers on port ${port}`)
}

function which(program: string): string | undefined {
  const { stdout, status } = spawnSync('sh', ['-c', `command -v "$0"`, program], { encoding: 'utf8' })
  return status === 0 ? stdout.trim() : undefined
}
