// DNS: hits per second and latency on one core, dnsperf on the other; NSD, Knot, BIND where installed, CoreDNS by path.
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { percentile, type Bench, type BenchOptions, type Figures } from './bench.ts'
import { renderQueries, renderZone } from './dns/names.ts'
import { peerServers } from './dns/servers.ts'

const debianPeers = { nsd: 'nsd', knot: 'knotd', bind: 'named' } as const
const firstPort = 5390

export const bench: Bench = {
  about: 'DNS hits per second and latency, one server core, dnsperf on the other',
  async run(options) {
    const skipped: string[] = []
    if (which('dnsperf') === undefined)
      return { figures: {}, skipped: ['dnsperf is not installed (Debian package dnsperf)'] }
    const names = Number(options.own.get('names') ?? 10_000)
    const folder = mkdtempSync(join(tmpdir(), 'fairway-dns-'))
    try {
      const zone = join(folder, 'zone')
      writeFileSync(zone, renderZone(names))
      writeFileSync(join(folder, 'queries'), renderQueries(names))
      const own = [
        process.execPath,
        'bench/dns/serve.ts',
        String(firstPort),
        String(names),
        options.own.get('threads') ?? '1',
      ]
      const figures = await measure(own, firstPort, folder, options)
      const peers: Record<string, Figures> = {}
      let port = firstPort
      for (const [name, start] of Object.entries(peerServers)) {
        port++
        const program = options.peers.get(name) ?? which(debianPeers[name as keyof typeof debianPeers] ?? '')
        if (program === undefined) skipped.push(`${name} is not here (--peer ${name}=PATH)`)
        else if (!options.short || options.peers.has(name)) {
          options.say(`measuring ${name}`)
          peers[name] = await measure(start(program, folder, zone, port).command, port, folder, options)
        }
      }
      return { figures, peers, skipped }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
}

async function measure(
  command: readonly string[],
  port: number,
  folder: string,
  options: BenchOptions,
): Promise<Figures> {
  const server = spawn('taskset', ['-c', '0', ...command], { stdio: 'ignore' })
  try {
    const queries = join(folder, 'queries')
    await answering(port, queries)
    const seconds = options.short ? 1 : 5
    perf(port, queries, ['-l', '1', '-c', '8', '-q', '400'])
    const rate = /per second:\s+([\d.]+)/.exec(perf(port, queries, ['-l', String(seconds), '-c', '8', '-q', '400']))
    const paced = perf(port, queries, [
      '-l',
      String(Math.min(seconds, 2)),
      '-c',
      '8',
      '-q',
      '400',
      '-Q',
      options.short ? '1000' : '100000',
      '-v',
    ])
    const latencies = [...paced.matchAll(/^> \S+ \S+ \S+ ([\d.]+)$/gm)].map(([, time]) => Number(time) * 1000)
    return {
      qps: Number(rate?.[1] ?? Number.NaN),
      p50_ms: percentile(latencies, 0.5),
      p99_ms: percentile(latencies, 0.99),
      rss_mb: residentMb(server.pid!),
    }
  } finally {
    server.kill('SIGTERM')
    await sleep(300)
    if (server.exitCode === null) server.kill('SIGKILL')
  }
}

async function answering(port: number, queries: string): Promise<void> {
  for (let i = 0; i < 100; i++) {
    if (/completed:\s+[1-9]/.test(perf(port, queries, ['-n', '1', '-l', '0.2', '-q', '1', '-t', '1']))) return
    await sleep(100)
  }
  throw new Error(`no DNS server answers on port ${port}`)
}

function perf(port: number, queries: string, more: readonly string[]): string {
  const words = ['-c', '1', 'dnsperf', '-s', '127.0.0.1', '-p', String(port), '-d', queries, ...more]
  return spawnSync('taskset', words, { encoding: 'utf8', maxBuffer: 1 << 30 }).stdout
}

function which(program: string): string | undefined {
  const { stdout, status } = spawnSync('sh', ['-c', `command -v "$0"`, program], { encoding: 'utf8' })
  return status === 0 ? stdout.trim() : undefined
}

function residentMb(pid: number): number {
  const { stdout } = spawnSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })
  return Number(stdout) / 1024
}
