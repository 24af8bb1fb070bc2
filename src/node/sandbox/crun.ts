// effect: crun and conmon processes
// The two programs that run a container: crun makes and enters it, conmon stays beside it, writes its log in the CRI form
// and keeps its exit code. conmon is not a child of the agent: it outlives it.
import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { dirname } from 'node:path'
import { messageOf, UserError } from '#daemon/error.ts'
import { close, pipe } from '#kernel/ffi.ts'
import { readPipe, spawnProgram } from '#kernel/spawn.ts'
import { RuntimeError } from '#node/runtime.ts'
import type { Layout } from '#node/sandbox/layout.ts'

/** The environment of programs that need nothing of ours. */
const plainEnv = { PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin' }

type Finished = { readonly exitCode: number; readonly stdout: Buffer; readonly stderr: Buffer }
export type NewContainer = {
  readonly id: string
  readonly logPath: string
  readonly tty: boolean
  readonly stdin: boolean
  readonly stdinOnce: boolean
}

export class Crun {
  readonly #layout: Layout
  readonly #crun: string
  readonly #conmon: string
  readonly #flags: readonly string[]

  /** Throws a UserError that names the packages where one of the programs is missing. */
  constructor(layout: Layout) {
    this.#layout = layout
    this.#crun = findProgram('crun')
    this.#conmon = findProgram('conmon')
    this.#flags = ['--cgroup-manager=disabled', `--root=${layout.crunRoot}`]
  }

  /** As crun says it: `1.8.1`. */
  async version(): Promise<string> {
    const { stdout } = await finish(spawn(this.#crun, ['--version'], { env: plainEnv }))
    return /crun version (\S+)/.exec(stdout.toString())?.[1] ?? 'unknown'
  }

  /** Runs crun to its end; a code other than 0 throws what it said. */
  async run(...words: readonly string[]): Promise<void> {
    const { readEnd, writeEnd } = pipe()
    const [said, exitCode] = await Promise.all([
      readPipe(readEnd),
      closing(writeEnd, () =>
        spawnProgram(this.#crun, [...this.#flags, ...words], {
          env: plainEnv,
          files: [undefined, undefined, writeEnd],
        }),
      ),
    ])
    if (exitCode !== 0) throw new RuntimeError('Failed', cleanMessage(said) || `crun exited with ${exitCode}`)
  }

  spawn(words: readonly string[], stdio: StdioOptions): ChildProcess {
    return spawn(this.#crun, [...this.#flags, ...words], { stdio, env: plainEnv })
  }

  /** created, running or stopped; undefined where crun knows of no such container. */
  async stateOf(id: string): Promise<string | undefined> {
    const { exitCode, stdout } = await finish(this.spawn(['state', id], ['ignore', 'pipe', 'ignore']))
    return exitCode === 0 ? (JSON.parse(stdout.toString()) as { status: string }).status : undefined
  }

  /** Makes the container (not started yet) of the bundle that is laid out already; throws what crun said. */
  async create(container: NewContainer): Promise<void> {
    mkdirSync(dirname(container.logPath), { recursive: true })
    const { readEnd, writeEnd } = pipe()
    // It leaves its monitor behind, which holds the pipe open for as long as it lives.
    const said = readPipe(readEnd, '\n')
    await closing(writeEnd, () =>
      spawnProgram(this.#conmon, this.#conmonWords(container), {
        files: [undefined, undefined, undefined, writeEnd],
        env: { ...plainEnv, _OCI_SYNCPIPE: '3' },
        newSession: true,
      }),
    )
    const answer = parseAnswer((await said).split('\n')[0]!)
    if (answer === undefined) throw new RuntimeError('Failed', 'conmon ended before the container was made')
    if (answer.pid <= 0)
      throw new RuntimeError('Failed', cleanMessage(answer.message ?? 'crun could not make the container'))
  }

  #conmonWords({ id, logPath, tty, stdin, stdinOnce }: NewContainer): readonly string[] {
    const layout = this.#layout
    const options = {
      cid: id,
      cuuid: id,
      name: id,
      runtime: this.#crun,
      bundle: layout.bundle(id),
      'container-pidfile': layout.pidFile(id),
      'conmon-pidfile': layout.conmonPidFile(id),
      'log-path': `k8s-file:${logPath}`,
      'log-level': 'error',
      'exit-dir': layout.exits,
      'socket-dir-path': layout.sockets,
    }
    return [
      ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]),
      ...this.#flags.flatMap((flag) => ['--runtime-arg', flag]),
      '--no-sync-log',
      ...(tty ? ['--terminal'] : []),
      ...(stdin ? ['--stdin'] : []),
      ...(stdin && !stdinOnce ? ['--leave-stdin-open'] : []),
    ]
  }
}

function findProgram(name: string): string {
  const found = plainEnv.PATH.split(':')
    .map((folder) => `${folder}/${name}`)
    .find((path) => existsSync(path))
  if (found !== undefined) return found
  throw new UserError(`the program ${name} is not installed`, {
    code: 'MissingProgram',
    remedy: 'on Debian: apt-get install conmon crun',
  })
}

/** Collects what a child says until it ends. */
export async function finish(child: ChildProcess): Promise<Finished> {
  const stdout: Buffer[] = []
  const stderr: Buffer[] = []
  child.stdout?.on('data', (data: Buffer) => stdout.push(data))
  child.stderr?.on('data', (data: Buffer) => stderr.push(data))
  const exitCode = await whenClosed(child)
  return { exitCode, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr) }
}

/** Resolves with the exit code (128 and the signal's number after a signal) once all its streams are at their end. */
export const whenClosed = (child: ChildProcess): Promise<number> =>
  new Promise((resolve, reject) => {
    child.on('error', (error) => reject(new RuntimeError('Failed', `cannot run ${child.spawnfile}`, error)))
    child.on('close', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])))
  })

/** Closes the end of a pipe that a program has been given. */
function closing<T>(file: number, give: () => T): T {
  try {
    return give()
  } catch (error) {
    throw new RuntimeError('Failed', messageOf(error), error)
  } finally {
    close(file)
  }
}

type Answer = { readonly pid: number; readonly message?: string }

function parseAnswer(line: string): Answer | undefined {
  try {
    return JSON.parse(line) as Answer
  } catch {
    return undefined
  }
}

/** crun's messages without its time stamps and the newline at the end. */
const cleanMessage = (text: string) =>
  text
    .trim()
    .replaceAll(/^\d{4}-\d\d-\d\dT\S+: /gm, '')
    .replaceAll('\n', '; ')

/** The process number in a file that conmon has written. */
export function readPid(path: string): number | undefined {
  try {
    return Number.parseInt(readFileSync(path, 'utf8'), 10) || undefined
  } catch {
    return undefined
  }
}
