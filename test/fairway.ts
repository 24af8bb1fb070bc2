// Runs the program as a user does.
import { spawn, spawnSync } from 'node:child_process'

export type Ran = { readonly status: number | null; readonly stdout: string; readonly stderr: string }
export type RunOptions = {
  readonly env?: Readonly<Record<string, string>>
  /** user to run as */
  readonly uid?: number
  readonly input?: string
}

const program = [process.execPath, '--disable-warning=ExperimentalWarning', 'src/cli/main.ts'] as const

/** `fairway WORDS...`, to its end. */
export function fairway(words: readonly string[], { env, uid, input }: RunOptions = {}): Ran {
  const { status, stdout, stderr } = spawnSync(program[0], [...program.slice(1), ...words], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
    ...(uid !== undefined && { uid }),
    ...(input !== undefined && { input }),
  })
  return { status, stdout, stderr }
}

/** The same without waiting for its end. */
export const startFairway = (words: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  spawn(program[0], [...program.slice(1), ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  })

/** Any program, to its end; throws where it fails. */
export function run(words: readonly string[], env: Readonly<Record<string, string>> = {}): string {
  const { status, stdout, stderr } = spawnSync(words[0]!, words.slice(1), {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  })
  if (status !== 0) throw new Error(`${words.join(' ')} ended with ${status}:\n${stdout}${stderr}`)
  return stdout
}
