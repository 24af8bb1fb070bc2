// effect: processes
// Starts the processes of a cluster so that they outlive whoever started them, finds them again, and ends them. A process
// says itself when it serves; nobody asks in a loop. It says so in a file, for whoever comes later to see it too.
import { spawn } from 'node:child_process'
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  watch,
  writeFileSync,
} from 'node:fs'
import { resolve } from 'node:path'
import { allocatorEnvironment } from '#daemon/allocator.ts'
import { readyVariable } from '#daemon/ready.ts'
import { UserError } from '#daemon/error.ts'
import type { Namespaces } from '#kernel/netns.ts'
import { identify, isAlive, type ProcessIdentity, signalProcess, whenExited } from '#kernel/process.ts'
import { killInhabitants, withinMs } from '#lab/inhabitants.ts'
import type { ClusterPlan, Paths } from '#lab/plan.ts'
import { planProcesses, type ProcessPlan } from '#lab/process-plan.ts'

export type Started = {
  /** Whether it began by this call; else it ran already. */
  readonly isNew: boolean
  /** Resolves when it serves; rejects where it ends before, as `alive` does. */
  readonly ready: Promise<void>
  /** Rejects when it ends, with a UserError that shows the end of its log. */
  readonly alive: Promise<never>
}

/** The program itself: this Node with this checkout. */
const programWith = (engine: readonly string[]): readonly string[] => [
  process.execPath,
  '--disable-warning=ExperimentalWarning',
  ...engine,
  resolve(import.meta.dirname, '../cli/main.ts'),
]

/** A process begins only once its record is written: whoever is killed in between leaves none that nobody knows of. */
const afterGo = ['sh', '-c', 'read -r go || exit; exec "$@" </dev/null', 'sh'] as const

export function startProcess(plan: ClusterPlan, { name, namespaces, words, log, engine }: ProcessPlan): Started {
  const out = openSync(log, 'a')
  const signs = openSync(readyPath(plan.paths, name), 'w')
  const command = [...afterGo, ...enterCommand(namespaces), ...programWith(engine), ...words]
  const child = spawn(command[0]!, command.slice(1), {
    cwd: '/',
    detached: true,
    stdio: ['pipe', out, out, signs],
    env: { ...process.env, ...allocatorEnvironment, [readyVariable]: '3' },
  })
  closeSync(out)
  closeSync(signs)
  const end = Promise.withResolvers<string>()
  child.on('error', (error) => end.resolve(`: ${error.message}`))
  child.on('exit', (code, signal) => end.resolve(signal === null ? ` with code ${code}` : ` by ${signal}`))
  const identity = child.pid === undefined ? undefined : identify(child.pid)
  if (identity)
    writeFileSync(recordPath(plan.paths, name), JSON.stringify({ ...identity, words } satisfies RunningProcess))
  child.stdin!.on('error', () => undefined)
  child.stdin!.end('go\n')
  child.unref()
  return { isNew: true, ...signsOf(plan, { name, log }, end.promise) }
}

/** A process that runs already, as if it had been started now. */
export const adoptProcess = (plan: ClusterPlan, process: ProcessPlan, identity: ProcessIdentity): Started => ({
  isNew: false,
  ...signsOf(
    plan,
    process,
    whenExited(identity).then(() => ''),
  ),
})

/** `end` resolves with how it has ended. */
function signsOf(
  { paths }: ClusterPlan,
  { name, log }: Pick<ProcessPlan, 'name' | 'log'>,
  end: Promise<string>,
): Pick<Started, 'ready' | 'alive'> {
  const alive = end.then((how) => Promise.reject(ended(name, log, how)))
  const ready = Promise.race([untilWritten(readyPath(paths, name), alive), alive])
  // Whoever does not wait for it is not to be ended by it.
  for (const promise of [alive, ready]) promise.catch(() => undefined)
  return { ready, alive }
}

/** Resolves when there is something in the file, or no file; watches no longer than `whileAlive`. */
function untilWritten(path: string, whileAlive: Promise<never>): Promise<void> {
  const isWritten = () => !existsSync(path) || statSync(path).size > 0
  const { promise, resolve } = Promise.withResolvers<void>()
  if (isWritten()) return Promise.resolve()
  const watcher = watch(path, () => isWritten() && resolve())
  if (isWritten()) resolve()
  const close = () => watcher.close()
  promise.then(close, close)
  whileAlive.catch(close)
  return promise
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

function ended(name: string, log: string, how: string): UserError {
  const last = lastLines(log, 8)
  return new UserError(`${name} has ended${how}`, {
    code: 'ProcessEnded',
    remedy: last === '' ? 'it said nothing' : `it said:\n${last.replaceAll(/^/gm, '    ')}`,
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
  for (const file of listFolder(processes).filter((one) => one.endsWith('.json'))) {
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
  for (const path of [recordPath(paths, name), readyPath(paths, name)]) rmSync(path, { force: true })
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
const readyPath = ({ processes }: Paths, name: string) => `${processes}/${name}.ready`

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
