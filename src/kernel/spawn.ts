// effect: processes
// Starts small programs without a copy of this process. Node's own spawn forks, and to copy the page tables of a process of
// 100 MB takes longer than many a program runs; posix_spawn shares them until the program is there.
import { closeSync, openSync } from 'node:fs'
import { openPid, startProgram, waitFor } from '#kernel/ffi.ts'
import { watchReadable } from '#kernel/readable.ts'

export type SpawnOptions = {
  readonly env: Readonly<Record<string, string>>
  /** what it has as files 0, 1, 2 ...; undefined: nothing to read, and nobody hears what is written */
  readonly files: readonly (number | undefined)[]
  /** in a session of its own, so that it outlives a terminal */
  readonly newSession?: boolean
}

/** Resolves with the exit code, or 128 and the signal's number. Throws a SystemError where the program cannot be run. */
export function spawnProgram(path: string, words: readonly string[], options: SpawnOptions): Promise<number> {
  const nothing = openSync('/dev/null', 'r+')
  try {
    const files = options.files.map((file) => file ?? nothing)
    const env = Object.entries(options.env).map(([name, value]) => `${name}=${value}`)
    return whenEnded(
      startProgram({ path, words: [path, ...words], env, files, newSession: options.newSession ?? false }),
    )
  } finally {
    closeSync(nothing)
  }
}

function whenEnded(pid: number): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>()
  // Nobody else waits for it: the number is its own until then.
  watchReadable(openPid(pid)!, { data: () => undefined, end: () => resolve(waitFor(pid)) })
  return promise
}

/** All that is written into a pipe, or what comes until `last` is in it. The read end is closed then. */
export function readPipe(readEnd: number, last?: string): Promise<string> {
  const decoder = new TextDecoder()
  let said = ''
  const { promise, resolve } = Promise.withResolvers<string>()
  const pipe = watchReadable(readEnd, {
    data(bytes) {
      said += decoder.decode(bytes, { stream: true })
      if (last !== undefined && said.includes(last)) {
        pipe[Symbol.dispose]()
        resolve(said)
      }
    },
    end: () => resolve(said),
  })
  return promise
}
