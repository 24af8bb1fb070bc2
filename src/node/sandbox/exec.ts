// effect: processes in containers
// Runs commands in a container that runs already.
import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import type { Clock } from '#daemon/clock.ts'
import { identify, signalProcess } from '#kernel/process.ts'
import { RuntimeError, type ExecResult, type Streams } from '#node/runtime.ts'
import { finish, readPid, type Crun } from '#node/sandbox/crun.ts'
import type { Layout } from '#node/sandbox/layout.ts'

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

/** Runs a command with the given streams; answers its exit code. A terminal is not offered yet. */
export async function exec(
  { crun, layout }: Exec,
  id: string,
  command: readonly string[],
  { streams, signal }: { readonly tty: boolean; readonly streams: Streams; readonly signal: AbortSignal },
): Promise<number> {
  const pidFile = `${layout.bundle(id)}/exec-${randomBytes(6).toString('hex')}`
  const child = crun.spawn(
    ['exec', '--pid-file', pidFile, id, ...command],
    [streams.stdin ? 'pipe' : 'ignore', streams.stdout ? 'pipe' : 'ignore', streams.stderr ? 'pipe' : 'ignore'],
  )
  const stop = () => killExec(pidFile)
  signal.addEventListener('abort', stop, { once: true })
  if (child.stdin) {
    // A command that does not read to the end closes its input before we have written everything.
    child.stdin.on('error', () => undefined)
    streams.stdin?.pipe(child.stdin)
  }
  if (streams.stdout) child.stdout?.pipe(streams.stdout, { end: false })
  if (streams.stderr) child.stderr?.pipe(streams.stderr, { end: false })
  try {
    return (await finish(child)).exitCode
  } finally {
    signal.removeEventListener('abort', stop)
    rmSync(pidFile, { force: true })
  }
}

/** Ending crun alone would leave the command running. */
function killExec(pidFile: string): void {
  const pid = readPid(pidFile)
  const found = pid === undefined ? undefined : identify(pid)
  if (found) signalProcess(found, 'SIGKILL')
}
