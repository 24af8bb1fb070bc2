// effect: processes in containers
// Runs commands in a container that runs already.
import type { ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import type { Clock } from '#daemon/clock.ts'
import { blocksSignal, identify, signalProcess } from '#kernel/process.ts'
import { RuntimeError, type ExecResult, type Streams, type TerminalSize } from '#node/runtime.ts'
import { finish, readPid, whenClosed, type Crun } from '#node/sandbox/crun.ts'
import type { Layout } from '#node/sandbox/layout.ts'
import { openTerminal } from '#node/sandbox/terminal.ts'

export type Exec = {
  readonly crun: Crun
  readonly layout: Layout
  readonly clock: Clock
}

/** More than this of a command's output is of no use to a probe or a hook. */
const mostOutput = 1 << 20

/** Runs a command to its end, and kills it after `timeoutMs` (0: never). */
export async function execSync(
  { crun, layout, clock }: Exec,
  id: string,
  command: readonly string[],
  timeoutMs: number,
): Promise<ExecResult> {
  const pidFile = `${layout.bundle(id)}/exec-${randomBytes(6).toString('hex')}`
  const child = crun.spawn(['exec', '--pid-file', pidFile, id, ...command], ['ignore', 'pipe', 'pipe'])
  let isLate = false
  const cancel =
    timeoutMs > 0
      ? clock.after(timeoutMs, () => {
          isLate = true
          killExec(pidFile)
          child.kill('SIGKILL')
        })
      : undefined
  try {
    const { exitCode, stdout, stderr } = await finish(child)
    if (isLate)
      throw new RuntimeError('Failed', `command timed out: "${command.join(' ')}" timed out after ${timeoutMs / 1000}s`)
    return { exitCode, stdout: stdout.subarray(0, mostOutput), stderr: stderr.subarray(0, mostOutput) }
  } finally {
    cancel?.()
    rmSync(pidFile, { force: true })
  }
}

type ExecOptions = { readonly tty: boolean; readonly streams: Streams; readonly signal: AbortSignal }

/** Runs a command with the given streams, on a terminal of its own where asked; answers its exit code. */
export async function exec(
  { crun, layout, clock }: Exec,
  id: string,
  command: readonly string[],
  { tty, streams, signal }: ExecOptions,
): Promise<number> {
  const pidFile = `${layout.bundle(id)}/exec-${randomBytes(6).toString('hex')}`
  const words = ['exec', '--pid-file', pidFile, ...(tty ? ['--tty'] : []), id, ...command]
  const stop = () => killExec(pidFile)
  signal.addEventListener('abort', stop, { once: true })
  try {
    return await (tty ? runOnTerminal(crun, clock, words, streams) : runOnPipes(crun, words, streams))
  } finally {
    signal.removeEventListener('abort', stop)
    rmSync(pidFile, { force: true })
  }
}

function runOnPipes(crun: Crun, words: readonly string[], streams: Streams): Promise<number> {
  const { stdin, stdout, stderr } = streams
  const child = crun.spawn(words, [stdin ? 'pipe' : 'ignore', stdout ? 'pipe' : 'ignore', stderr ? 'pipe' : 'ignore'])
  // A command that does not read to the end closes its input before we have written everything.
  child.stdin?.on('error', () => undefined)
  if (stdin && child.stdin) stdin.pipe(child.stdin)
  if (stdout) child.stdout?.pipe(stdout, { end: false })
  if (stderr) child.stderr?.pipe(stderr, { end: false })
  return whenClosed(child)
}

async function runOnTerminal(
  crun: Crun,
  clock: Clock,
  words: readonly string[],
  { stdin, stdout, resizes }: Streams,
): Promise<number> {
  const terminal = openTerminal()
  const end = terminal.programEnd
  const child = crun.spawn(words, [end, end, end])
  terminal.closeProgramEnd()
  stdin?.pipe(terminal.input)
  const drained = new Promise<void>((resolve) => terminal.output.on('close', resolve))
  if (stdout) terminal.output.pipe(stdout, { end: false })
  else terminal.output.resume()
  void followSizes(resizes, (size) => {
    terminal.resize(size)
    tellSize(child, clock, 1)
  })
  const exitCode = await whenClosed(child)
  await drained
  terminal.close()
  return exitCode
}

/** crun hears of it only once it takes signals, and nothing tells when: it then blocks them all. Before, they are lost. */
function tellSize(child: ChildProcess, clock: Clock, pauseMs: number): void {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  if (blocksSignal(child.pid, 'SIGWINCH')) child.kill('SIGWINCH')
  else clock.after(pauseMs, () => tellSize(child, clock, Math.min(2 * pauseMs, mostPauseMs)))
}
const mostPauseMs = 100

async function followSizes(sizes: Streams['resizes'], apply: (size: TerminalSize) => void): Promise<void> {
  if (sizes) for await (const size of sizes) apply(size)
}

/** Ending crun alone would leave the command running. */
function killExec(pidFile: string): void {
  const pid = readPid(pidFile)
  const found = pid === undefined ? undefined : identify(pid)
  if (found) signalProcess(found, 'SIGKILL')
}
