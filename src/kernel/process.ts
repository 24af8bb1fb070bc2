// effect: processes
// A process number alone is not a name: numbers are used again. A process is named by number and start time, and it is
// signalled through a pidfd that was checked against both, so that no stranger is ever hit.
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { close, openPid, signalPid } from '#kernel/ffi.ts'
import { watchReadable } from '#kernel/readable.ts'

export type ProcessIdentity = {
  readonly pid: number
  /** Clock ticks after boot: field 22 of /proc/PID/stat. */
  readonly startTime: number
}

/** Who has this number now; undefined where nobody does, or only a zombie that waits for its parent. */
export function identify(pid: number): ProcessIdentity | undefined {
  const stat = readStat(pid)
  return stat === undefined || stat.state === 'Z' || stat.state === 'X' ? undefined : { pid, startTime: stat.startTime }
}

export const isAlive = ({ pid, startTime }: ProcessIdentity): boolean => identify(pid)?.startTime === startTime

/** Sends the signal; false where that very process is gone. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  const fd = openIdentity(identity)
  if (fd === undefined) return false
  try {
    return signalPid(fd, constants.signals[signal])
  } finally {
    close(fd)
  }
}

/** Resolves when that process has exited: the kernel tells, nothing polls. Works for any process, not only children. */
export function whenExited(identity: ProcessIdentity): Promise<void> {
  const fd = openIdentity(identity)
  if (fd === undefined) return Promise.resolve()
  return new Promise((resolve) => {
    // A pidfd becomes readable at the exit, and reading it then fails: that end is the news.
    watchReadable(fd, { data: () => undefined, end: () => resolve() })
  })
}

/** Whether it holds that signal back, as programs do that take signals one by one; false where it is gone. */
export function blocksSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    const [, mask] = /^SigBlk:\s*(\S+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!
    return ((BigInt(`0x${mask}`) >> BigInt(constants.signals[signal] - 1)) & 1n) === 1n
  } catch {
    return false
  }
}

/** The pidfd is opened first and the start time compared after, so the two cannot mean different processes. */
function openIdentity(identity: ProcessIdentity): number | undefined {
  const fd = openPid(identity.pid)
  if (fd === undefined) return undefined
  if (isAlive(identity)) return fd
  close(fd)
  return undefined
}

function readStat(pid: number): { readonly state: string; readonly startTime: number } | undefined {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return undefined
  }
  // The program's name stands in brackets and may hold anything, so count from behind it.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { state: fields[0]!, startTime: Number(fields[19]) }
}
