// effect: the HAProxy program
// One HAProxy after another: a new one takes over the listening sockets, and the old one ends when its last connection
// has. One that an earlier Fairway left behind is taken over in the same way.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { UserError } from '#daemon/error.ts'
import type { Clock } from '#daemon/clock.ts'
import type { Logger } from '#daemon/log.ts'
import { configOf, pidFileOf, socketOf } from '#ingress/haproxy/config.ts'
import { Runtime } from '#ingress/haproxy/runtime.ts'

const program = 'haproxy'
const startLimitMs = 20_000

export type Running = {
  readonly pid: number
  readonly runtime: Runtime
  readonly ended: Promise<void>
  stop(): void
  kill(): void
}

/**
 * Starts a HAProxy from the files in the folder, and resolves when it serves. Throws UserError with its own words where
 * it does not.
 */
export async function startHaproxy(
  folder: string,
  { clock, log }: { readonly clock: Clock; readonly log: Logger },
): Promise<Running> {
  const before = runningIn(folder)
  if (before.length === 0) rmSync(socketOf(folder), { force: true })
  const takeOver = before.length === 0 ? [] : ['-x', socketOf(folder), '-sf', ...before.map(String)]
  const child = spawn(program, ['-db', '-f', configOf(folder), ...takeOver], {
    stdio: ['ignore', 'inherit', 'pipe'],
    env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` },
  })
  const words = hear(child, log)
  const ended = new Promise<void>((resolve) => child.once('error', () => resolve()).once('exit', () => resolve()))
  const failed = once(child, 'error').then(([error]: Error[]) => {
    throw new UserError(`cannot run ${program}: ${error!.message}`, {
      code: 'NoHaproxy',
      remedy: 'install it (on Debian: apt-get install -y haproxy)',
      cause: error,
    })
  })
  failed.catch(() => {})
  const exited = once(child, 'exit').then(() => {
    throw new UserError(`${program} ended at once: ${words().join('; ') || 'it said nothing'}`, {
      code: 'HaproxyEnded',
    })
  })
  exited.catch(() => {})
  const runtime = await Promise.race([untilServing(folder, child, clock), failed, exited])
  const pid = child.pid!
  writeFileSync(pidFileOf(folder), `${pid}\n`)
  return { pid, runtime, ended, stop: () => void child.kill('SIGUSR1'), kill: () => void child.kill('SIGKILL') }
}

/** Nothing tells when it serves, but its socket then answers with its own number. */
async function untilServing(folder: string, child: ChildProcess, clock: Clock): Promise<Runtime> {
  for (const end = clock.monotonicMs() + startLimitMs; clock.monotonicMs() < end; await clock.sleep(10)) {
    const runtime = await Runtime.open(socketOf(folder)).catch(() => undefined)
    if (runtime === undefined) continue
    const info = await runtime.ask('show info').catch(() => '')
    if (info.includes(`\nPid: ${child.pid}\n`)) return runtime
    runtime[Symbol.dispose]()
  }
  child.kill('SIGKILL')
  throw new UserError(`${program} does not answer after ${startLimitMs / 1000} s`, { code: 'HaproxySilent' })
}

/** What it says goes into our log; its last words are kept. */
function hear(child: ChildProcess, log: Logger): () => readonly string[] {
  let last: string[] = []
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    for (const line of text.split('\n').filter((one) => one.trim() !== '')) {
      last = [...last.slice(-9), line]
      log.debug(`haproxy: ${line}`)
    }
  })
  return () => last
}

/**
 * All that were started from this folder and have not ended: one that serves, those that only wait for their last
 * connection, and one that a controller had started the moment before it was killed. Whichever were forgotten would go on
 * to take its share of the connections, with an old table. In the containers of other controllers, which are seen from this
 * machine too, the same path is another folder.
 */
export function runningIn(folder: string): readonly number[] {
  const config = configOf(folder)
  const mountsOf = (pid: string) => readlinkSync(`/proc/${pid}/ns/mnt`)
  const own = mountsOf('self')
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return []
    try {
      const words = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0')
      const isOurs = basename(words[0] ?? '') === program && words.includes(config) && mountsOf(name) === own
      return isOurs ? [Number(name)] : []
    } catch {
      // It has ended meanwhile, or is somebody else's.
      return []
    }
  })
}
