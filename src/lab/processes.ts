// effect: processes
// Starts the processes of a cluster so that they outlive whoever started them, finds them again, and ends them. A process
// says itself when it serves; nobody asks in a loop.
import { spawn } from 'node:child_process'
import { closeSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { readyVariable } from '#daemon/ready.ts'
import { UserError } from '#daemon/error.ts'
import type { Namespaces } from '#kernel/netns.ts'
import { identify, isAlive, type ProcessIdentity, signalProcess, whenExited } from '#kernel/process.ts'
import { killInhabitants, withinMs } from '#lab/inhabitants.ts'
import type { ClusterPlan, Paths } from '#lab/plan.ts'
import { planProcesses, type ProcessPlan } from '#lab/process-plan.ts'

export type Started = {
  readonly identity: ProcessIdentity
  /** Rejects with a UserError that shows the end of its log where it ends before it serves. */
  readonly ready: Promise<void>
}

/** The program itself: this Node with this checkout. */
const programWith = (engine: readonly string[]): readonly string[] => [
  process.execPath,
  '--disable-warning=ExperimentalWarning',
  ...engine,
  resolve(import.meta.dirname, '../cli/main.ts'),
]

/**
 * Several arenas of the C library's allocator would each keep memory of their own; what is larger than a page or two goes
 * back to the system when it is freed. Together 20 MB of a cluster.
 */
const environment = { MALLOC_ARENA_MAX: '1', MALLOC_MMAP_THRESHOLD_: '16384' }

/** A process begins only once its record is written: whoever is killed in between leaves none that nobody knows of. */
const afterGo = ['sh', '-c', 'read -r go || exit; exec "$@" </dev/null', 'sh'] as const

export function startProcess(plan: ClusterPlan, { name, namespaces, words, log, engine }: ProcessPlan): Started {
  const out = openSync(log, 'a')
  const command = [...afterGo, ...enterCommand(namespaces), ...programWith(engine), ...words]
  const child = spawn(command[0]!, command.slice(1), {
    cwd: '/',
    detached: true,
    stdio: ['pipe', out, out, 'pipe'],
    env: { ...process.env, ...environment, [readyVariable]: '3' },
  })
  closeSync(out)
  const identity = child.pid === undefined ? undefined : identify(child.pid)
  if (identity)
    writeFileSync(recordPath(plan.paths, name), JSON.stringify({ ...identity, words } satisfies RunningProcess))
  child.stdin!.on('error', () => undefined)
  child.stdin!.end('go\n')
  child.unref()
  const signs = child.stdio[3] as unknown as NodeJS.ReadableStream
  const ready = new Promise<void>((resolve, reject) => {
    signs.on('data', () => resolve())
    // Its end of the pipe closes with it.
    signs.on('end', () => reject(endedEarly(name, log)))
    child.on('error', (error) => reject(endedEarly(name, log, error)))
  })
  // Whoever does not wait for it is not to be ended by it.
  ready.catch(() => undefined)
  return { identity: identity ?? { pid: child.pid ?? 0, startTime: 0 }, ready }
}

/** A command line that runs what follows it inside the namespaces. */
export const enterCommand = ({ net, mount, uts }: Namespaces): readonly string[] => {
  const flags = [
    ...(net === undefined ? [] : [`--net=${net}`]),
    ...(uts === undefined ? [] : [`--uts=${uts}`]),
    ...(mount === undefined ? [] : [`--mount=${mount}`]),
  ]
  return flags.length === 0 ? [] : ['nsenter', ...flags, '--']
}

function endedEarly(name: string, log: string, cause?: Error): UserError {
  const last = lastLines(log, 8)
  return new UserError(`${name} ended before it was ready${cause === undefined ? '' : `: ${cause.message}`}`, {
    code: 'ProcessEnded',
    remedy: last === '' ? 'it said nothing' : `it said:\n${last.replaceAll(/^/gm, '    ')}`,
    cause,
  })
}

const lastLines = (path: string, count: number): string =>
  readFileSync(path, 'utf8').trimEnd().split('\n').slice(-count).join('\n')

export type RunningProcess = ProcessIdentity & {
  /** what it was told, behind `fairway` */
  readonly words: readonly string[]
}

/** The processes that were started and still live, by name. */
export function runningProcesses({ processes }: Paths): ReadonlyMap<string, RunningProcess> {
  const running = new Map<string, RunningProcess>()
  for (const file of listFolder(processes)) {
    const record = readRecord(`${processes}/${file}`)
    if (record && isAlive(record)) running.set(file.replace(/\.json$/, ''), record)
  }
  return running
}

/** The names of those that shall run and do not. */
export function missingProcesses(plan: ClusterPlan): readonly string[] {
  const running = runningProcesses(plan.paths)
  return planProcesses(plan).flatMap(({ name }) => (running.has(name) ? [] : name))
}

/** Ends one process of the cluster: asks it, and kills it after that time. What lives in its namespaces goes on. */
export async function endProcess(paths: Paths, name: string, graceMs: number): Promise<void> {
  const running = runningProcesses(paths).get(name)
  if (running) {
    if (graceMs > 0 && signalProcess(running, 'SIGTERM')) await withinMs(graceMs, whenExited(running))
    signalProcess(running, 'SIGKILL')
    await whenExited(running)
  }
  rmSync(recordPath(paths, name), { force: true })
}

/**
 * Ends everything that lives in the cluster's namespaces: its own processes, containers and their monitors, and what
 * someone started in there. First asks, then kills; resolves when all are gone.
 */
export async function endProcesses(paths: Paths, graceMs: number): Promise<void> {
  const own = [...runningProcesses(paths).values()]
  for (const identity of own) signalProcess(identity, 'SIGTERM')
  await withinMs(graceMs, Promise.all(own.map(whenExited)))
  await killInhabitants(paths)
  rmSync(paths.processes, { recursive: true, force: true })
}

const recordPath = ({ processes }: Paths, name: string) => `${processes}/${name}.json`

function readRecord(path: string): RunningProcess | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as RunningProcess
  } catch {
    return undefined
  }
}

function listFolder(path: string): readonly string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}
