// The CNI plugin as a container runtime calls it: a program, variables, a configuration on standard input.
import { spawn, spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fairway } from '#test/fairway.ts'

export type Answer = { readonly status: number | null; readonly body: Record<string, unknown>; readonly text: string }
export type Call = {
  readonly command: string
  readonly id?: string
  readonly netns?: string
  readonly ifname?: string
  readonly config: object
}

/** Puts the plugin into a folder; answers its path. */
export function installPlugin(folder: string, words: readonly string[] = []): string {
  const { status, stderr } = fairway(['cni', 'install', '--bin-dir', folder, '--conf-dir', folder, ...words])
  if (status !== 0) throw new Error(stderr)
  return join(folder, 'fairway')
}

export function callPlugin(program: string, call: Call): Answer {
  const { status, stdout, stderr } = spawnSync(program, {
    env: environment(program, call),
    input: JSON.stringify(call.config),
  })
  return answer(status, stdout.toString(), stderr.toString())
}

/** The same, while others go on; `killAfterMs` ends it before it is done. */
export function startPlugin(program: string, call: Call, killAfterMs?: number): Promise<Answer> {
  const child = spawn(program, { env: environment(program, call) })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (data) => (stdout += String(data)))
  child.stderr.on('data', (data) => (stderr += String(data)))
  child.stdin.on('error', () => undefined)
  child.stdin.end(JSON.stringify(call.config))
  const timer = killAfterMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), killAfterMs)
  return new Promise((resolve) =>
    child.once('close', (status) => {
      clearTimeout(timer)
      resolve(answer(status, stdout, stderr))
    }),
  )
}

const environment = (program: string, { command, id = 'c1', netns = '', ifname = 'eth0' }: Call) => ({
  ...process.env,
  CNI_COMMAND: command,
  CNI_CONTAINERID: id,
  CNI_NETNS: netns,
  CNI_IFNAME: ifname,
  CNI_PATH: dirname(program),
})

const answer = (status: number | null, stdout: string, stderr: string): Answer => ({
  status,
  text: `${stdout}${stderr}`,
  body: stdout === '' ? {} : (JSON.parse(stdout) as Record<string, unknown>),
})
