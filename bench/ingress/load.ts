// effect: wrk
// Requests by wrk, and what they cost the process that answers them.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'

/** `cpuUs`: what a request cost the proxy's process, which is what counts where others use the machine too. */
export type Load = { readonly rps: number; readonly p99Ms: number; readonly errors: number; readonly cpuUs?: number }

export const workerOf = (pid: number): number =>
  Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')[0])

/** Microseconds of processor time, in user and kernel mode. */
function cpuUsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10_000
}

export async function load(port: number, seconds: number, pid: number): Promise<Load> {
  const before = cpuUsOf(pid)
  const words = ['-t1', '-c64', `-d${seconds}`, '--latency', '-H', 'Host: host-1.test', `http://127.0.0.1:${port}/`]
  const child = spawn('wrk', words, { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part))
  await once(child, 'close')
  const requests = Number(/(\d+) requests in/.exec(text)?.[1])
  return { ...readWrk(text), cpuUs: (cpuUsOf(pid) - before) / requests }
}

export function readWrk(text: string): Load {
  const rps = Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1])
  const [, value, unit] = /99%\s+([\d.]+)(us|ms|s)/.exec(text) ?? []
  const failed = /Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0
  const [, ...broken] = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text) ?? []
  const errors = Number(failed) + broken.reduce((sum, count) => sum + Number(count), 0)
  return { rps, p99Ms: Number(value) * ({ us: 0.001, ms: 1, s: 1000 }[unit ?? ''] ?? Number.NaN), errors }
}
