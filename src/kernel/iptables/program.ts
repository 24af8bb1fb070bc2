// effect: iptables programs
// The iptables of this machine: which back end it writes to and what it can do.
import { spawn } from 'node:child_process'
import { withNetns } from '#kernel/netns.ts'

export type IptablesFamily = 4 | 6

export type Iptables = {
  readonly family: IptablesFamily
  /** `nft`: rules end up in nftables, as with Debian's default; `legacy`: in the tables of their own */
  readonly backend: 'nft' | 'legacy'
  readonly version: string
  /** `MASQUERADE --random-fully`: since 1.6.2 */
  readonly randomFully: boolean
  /** the names of the three programs */
  readonly command: string
  readonly saveCommand: string
  readonly restoreCommand: string
  /** path of the pinned network namespace whose tables these are; undefined: the caller's own */
  readonly netns: string | undefined
}

export type IptablesOptions = {
  /** asks for one back end by name; default the machine's own choice */
  readonly backend?: 'nft' | 'legacy' | undefined
  readonly netns?: string | undefined
}

/** An iptables program failed. `code` says whether trying again helps (`Locked`), the program is absent, or it refused. */
export class IptablesError extends Error {
  readonly code: 'NotInstalled' | 'Locked' | 'Refused'
  /** for a restore: the line of its input that was at fault, from 1 */
  readonly line: number | undefined
  constructor(code: IptablesError['code'], message: string, line?: number) {
    super(message)
    this.name = 'IptablesError'
    this.code = code
    this.line = line
  }
}

/**
 * Looks for the iptables of a family. Throws IptablesError: `NotInstalled` where there is none, `Refused` where the
 * kernel has no iptables for the family.
 */
export async function findIptables(
  family: IptablesFamily,
  { backend, netns }: IptablesOptions = {},
): Promise<Iptables> {
  const stem = `${family === 4 ? 'iptables' : 'ip6tables'}${backend === undefined ? '' : `-${backend}`}`
  const stdout = await runProgram(stem, ['--version'], { netns })
  const [, version] = /v(\d+(?:\.\d+)+)/.exec(stdout) ?? []
  if (version === undefined) throw new IptablesError('Refused', `${stem} does not say its version: ${stdout.trim()}`)
  await runProgram(stem, ['-w', '5', '-t', 'nat', '-S', 'POSTROUTING'], { netns })
  return {
    family,
    backend: stdout.includes('nf_tables') ? 'nft' : 'legacy',
    version,
    randomFully: isAtLeast(version, [1, 6, 2]),
    command: stem,
    saveCommand: `${stem}-save`,
    restoreCommand: `${stem}-restore`,
    netns,
  }
}

function isAtLeast(version: string, wanted: readonly number[]): boolean {
  const parts = version.split('.').map(Number)
  const at = wanted.findIndex((number, i) => (parts[i] ?? 0) !== number)
  return at < 0 || (parts[at] ?? 0) > wanted[at]!
}

/** Runs one of the programs with `input` on its standard input; answers its standard output. Throws IptablesError. */
export function runProgram(
  program: string,
  words: readonly string[],
  { input, netns }: { readonly input?: string; readonly netns?: string | undefined } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = withNetns(netns, () => spawn(program, words, { stdio: ['pipe', 'pipe', 'pipe'] }))
    const stdout: Buffer[] = []
    const stderr: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
    // A program that stops early closes its input: what it says on the way out is the reason.
    child.stdin.on('error', () => undefined)
    child.on('error', (error: NodeJS.ErrnoException) => {
      const text = error.code === 'ENOENT' ? `${program} is not installed` : `${program}: ${error.message}`
      reject(new IptablesError(error.code === 'ENOENT' ? 'NotInstalled' : 'Refused', text))
    })
    child.on('close', (status) => {
      if (status === 0) resolve(Buffer.concat(stdout).toString())
      else reject(failure(program, status, Buffer.concat(stderr).toString()))
    })
    child.stdin.end(input)
  })
}

/** Exit status 4 is a resource problem, above all a lock that someone else holds. */
function failure(program: string, status: number | null, stderr: string): IptablesError {
  const text = stderr
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('Try `'))
    .join('; ')
  const [, line] = /\bline:? (\d+)/.exec(stderr) ?? []
  const message = `${program} exited with ${status ?? 'a signal'}: ${text}`
  return new IptablesError(status === 4 ? 'Locked' : 'Refused', message, line === undefined ? undefined : Number(line))
}
