// effect: processes
// Starts the processes of a cluster so that they outlive whoever started them, finds them again, and ends them. A process
// says itself when it serves; nobody asks in a loop.
import { spawn } from 'node:child_process'
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { readyVariable } from '#daemon/ready.ts'
import { UserError } from '#daemon/error.ts'
import { mounts } from '#kernel/mount.ts'
import type { Mount } from '#kernel/mountinfo.ts'
import { type Namespaces, withNamespaces } from '#kernel/netns.ts'
import { identify, isAlive, type ProcessIdentity, signalProcess, whenExited } from '#kernel/process.ts'
import type { ClusterPlan } from '#lab/plan.ts'
import type { ProcessPlan } from '#lab/process-plan.ts'

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

/** Several arenas of the C library's allocator would each keep memory of their own. */
const environment = { MALLOC_ARENA_MAX: '1' }

export function startProcess(plan: ClusterPlan, { name, namespaces, words, log, engine }: ProcessPlan): Started {
  const out = openSync(log, 'a')
  const command = [...enterCommand(namespaces), ...programWith(engine), ...words]
  const child = spawn(command[0]!, command.slice(1), {
    cwd: '/',
    detached: true,
    stdio: ['ignore', out, out, 'pipe'],
    env: { ...process.env, ...environment, [readyVariable]: '3' },
  })
  closeSync(out)
  const identity = child.pid === undefined ? undefined : identify(child.pid)
  if (identity) writeFileSync(processFile(plan, name), JSON.stringify(identity))
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

/** The processes that were started and still live, by name. */
export function runningProcesses(plan: ClusterPlan): ReadonlyMap<string, ProcessIdentity> {
  const running = new Map<string, ProcessIdentity>()
  for (const file of listFolder(plan.paths.processes)) {
    const identity = readIdentity(`${plan.paths.processes}/${file}`)
    if (identity && isAlive(identity)) running.set(file.replace(/\.json$/, ''), identity)
  }
  return running
}

/**
 * Ends everything that lives in the cluster's namespaces: its own processes, containers and their monitors, and what
 * someone started in there. First asks, then kills; resolves when all are gone.
 */
export async function endProcesses(plan: ClusterPlan, graceMs: number): Promise<void> {
  const own = [...runningProcesses(plan).values()]
  for (const identity of own) signalProcess(identity, 'SIGTERM')
  await withinMs(graceMs, Promise.all(own.map(whenExited)))
  // What has just forked is found in the next round.
  for (;;) {
    const left = inhabitants(plan)
    if (left.length === 0) break
    for (const identity of left) signalProcess(identity, 'SIGKILL')
    await Promise.all(left.map(whenExited))
  }
  rmSync(plan.paths.processes, { recursive: true, force: true })
}

/** Every process in a network or mount namespace of the cluster, pods included. */
export function inhabitants(plan: ClusterPlan): readonly ProcessIdentity[] {
  const namespaces = namespacesOf(plan)
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => namespaces.has(namespaceOf(name, 'net')) || namespaces.has(namespaceOf(name, 'mnt')))
    .flatMap((name) => identify(Number(name)) ?? [])
}

/** `net:[4026532008]`, `mnt:[...]` of all that is pinned by the plan, or by a node in its own mounts. */
function namespacesOf(plan: ClusterPlan): ReadonlySet<string> {
  const here = mounts()
  const isOurs = ({ target, type }: Mount) => type === 'nsfs' && target.startsWith(`${plan.paths.runtime}/`)
  const found = new Set(here.filter(isOurs).map(({ root }) => root))
  const foreign = new Set(here.filter(({ type }) => type === 'nsfs').map(({ root }) => root))
  for (const { namespaces } of plan.hosts) {
    const { mount } = namespaces
    if (mount === undefined || !here.some(({ target }) => target === mount)) continue
    // A node's mounts began as a copy of ours: what is pinned here too is not the node's.
    for (const { type, root } of withNamespaces({ mount }, mounts))
      if (type === 'nsfs' && !foreign.has(root)) found.add(root)
  }
  return found
}

function namespaceOf(pid: string, kind: string): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/${kind}`)
  } catch {
    return ''
  }
}

const processFile = (plan: ClusterPlan, name: string) => `${plan.paths.processes}/${name}.json`

function readIdentity(path: string): ProcessIdentity | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as ProcessIdentity
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

const withinMs = (limitMs: number, done: Promise<unknown>): Promise<unknown> => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, limitMs)
  return Promise.race([done, promise]).finally(() => clearTimeout(timer))
}
