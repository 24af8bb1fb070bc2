// What dnsperf sees of a server, and what the server spends on it.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** Runs dnsperf on the second core; its output. */
export function perf(port: number, queries: string, more: readonly string[]): string {
  const words = ['-c', '1', 'dnsperf', '-s', '127.0.0.1', '-p', String(port), '-d', queries, ...more]
  return spawnSync('taskset', words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).stdout
}

/** Queries per second, and per second of the server's processor: the latter does not suffer from busy neighbours. */
export function measureRate(port: number, pid: number, queries: string, seconds: number, isWide: boolean) {
  const words = ['-c', '8', '-q', '400', ...(isWide ? ['-e'] : [])]
  perf(port, queries, ['-l', String(Math.min(1, seconds)), ...words])
  const before = processorSeconds(pid)
  const text = perf(port, queries, ['-l', String(seconds), ...words])
  const spent = processorSeconds(pid) - before
  const completed = Number(/completed:\s+(\d+)/.exec(text)?.[1])
  return { qps: Number(/per second:\s+([\d.]+)/.exec(text)?.[1]), coreQps: completed / spent }
}

/** Milliseconds until the answer at `rate` queries per second. Others on the machine only slow one down: the best of three. */
export function measureLatency(port: number, queries: string, seconds: number, rate: number) {
  return [1, 2, 3].map(() => latencyOnce(port, queries, seconds, rate)).toSorted((a, b) => a.p99 - b.p99)[0]!
}

/** Not by dnsperf: it sends and receives by two threads, which take turns on the second core and are measured with it. */
function latencyOnce(port: number, queries: string, seconds: number, rate: number) {
  const words = ['--disable-warning=ExperimentalWarning', 'bench/dns/paced.ts', ...[port, rate, seconds].map(String)]
  const { stdout } = spawnSync('taskset', ['-c', '1', process.execPath, ...words, queries], { encoding: 'utf8' })
  return JSON.parse(stdout) as { readonly p50: number; readonly p99: number; readonly lost: number }
}

/** Of the process and all below it: NSD's work is done two generations down. */
function processorSeconds(pid: number): number {
  const { stdout } = spawnSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' })
  const children = stdout.split('\n').filter(Boolean).map(Number)
  return secondsOf(pid) + children.reduce((sum, child) => sum + processorSeconds(child), 0)
}

const ticksPerSecond = 100

function secondsOf(pid: number): number {
  const [, rest = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(/\) /)
  const fields = rest.split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}

export function memoryMb(pid: number): { readonly rss: number; readonly pss: number } {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  const mb = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(text)?.[1]) / 1024
  return { rss: mb('Rss'), pss: mb('Pss') }
}
