// effect: /proc of the cluster's processes
// What the processes of a cluster cost. Memory is PSS: what several processes share is counted once, in parts.
import { readFileSync } from 'node:fs'
import type { ClusterPlan } from '#lab/plan.ts'
import { inhabitants, programOf, wordsOf } from '#lab/inhabitants.ts'
import { runningProcesses } from '#lab/processes.ts'

export type Cost = {
  /** of a process of the cluster, or what runs in its pods: `conmon`, `pod node` */
  readonly name: string
  readonly pid: number
  readonly pssBytes: number
  /** user and system time since it began */
  readonly cpuMs: number
  readonly startedMsAgo: number
}

/** One entry for each living process, those of the cluster itself first. */
export function observeCosts(plan: ClusterPlan): readonly Cost[] {
  const own = [...runningProcesses(plan.paths)].map(([name, { pid }]) => ({ name, pid }))
  const known = new Set(own.map(({ pid }) => pid))
  const others = inhabitants(plan.paths)
    .filter(({ pid }) => !known.has(pid))
    .map(({ pid }) => ({ name: nameOf(pid), pid }))
  return [...own, ...others].flatMap(({ name, pid }) => {
    const pssBytes = readPss(pid)
    const times = readTimes(pid)
    return pssBytes === undefined || times === undefined ? [] : { name, pid, pssBytes, ...times }
  })
}

/** The Service DNS counts as the cluster's own, other programs in pods as the user's. */
function nameOf(pid: number): string {
  const words = wordsOf(pid)
  const program = programOf(pid)
  if (program === 'conmon') return 'conmon'
  return words.includes('dns') && words.some((word) => word.endsWith('/main.ts')) ? 'pod dns' : `pod ${program}`
}

function readPss(pid: number): number | undefined {
  const line = read(`/proc/${pid}/smaps_rollup`)?.match(/^Pss:\s+(\d+) kB/m)
  return line ? Number(line[1]) * 1024 : undefined
}

const ticksPerSecond = 100
function readTimes(pid: number): { readonly cpuMs: number; readonly startedMsAgo: number } | undefined {
  const stat = read(`/proc/${pid}/stat`)
  const uptime = read('/proc/uptime')
  if (stat === undefined || uptime === undefined) return undefined
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ms = (ticks: number) => (ticks / ticksPerSecond) * 1000
  const cpuMs = ms(Number(fields[11]) + Number(fields[12]))
  return { cpuMs, startedMsAgo: Number(uptime.split(' ')[0]) * 1000 - ms(Number(fields[19])) }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
