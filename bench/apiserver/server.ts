// The servers that are measured: each is launched, asked how much it costs, and ended.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Peer, startEtcd } from './kube-apiserver.ts'

/** `processes`: the server itself, and what it keeps its objects in. */
export type Server = Peer

const port = 16_555

/** Our own on a file in `folder`, or on an etcd that keeps its data there. */
export async function startOwn(folder: string, store: 'file' | 'etcd'): Promise<Server> {
  const { etcd, own } = store === 'etcd' ? startEtcd(folder, 'ignore') : { etcd: undefined, own: '' }
  const begun = performance.now()
  const words = ['apiserver', '--bind-address', '127.0.0.1', '--secure-port', String(port)]
  const where =
    store === 'etcd' ? ['--etcd-servers', own, '--cert-dir', folder] : ['--data-file', join(folder, 'store.db')]
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', 'src/cli/main.ts', ...words, ...where],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let said = ''
  await new Promise<void>((resolve, reject) => {
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      if (said.includes('ready on port')) resolve()
    })
    child.once('exit', () => reject(new Error(`the server ended: ${said}`)))
  })
  const startMs = performance.now() - begun
  const text = readFileSync(join(folder, 'kubeconfig'), 'utf8')
  const field = (name: string) => Buffer.from(new RegExp(`${name}: (\\S+)`).exec(text)![1]!, 'base64').toString()
  const credentials = {
    ca: field('certificate-authority-data'),
    cert: field('client-certificate-data'),
    key: field('client-key-data'),
  }
  return { processes: etcd === undefined ? [child] : [child, etcd], port, credentials, startMs }
}

export async function stop({ processes }: Server): Promise<void> {
  for (const child of processes) {
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGTERM')
    await Promise.race([ended, sleep(5000)])
    if (child.exitCode === null) child.kill('SIGKILL')
  }
}

export const memoryMb = ({ processes }: Server): number => processes.reduce((sum, { pid }) => sum + pssMb(pid!), 0)

/** Milliseconds of processor time so far, of a server and its store together. */
export const cpuMs = ({ processes }: Server): number => processes.reduce((sum, { pid }) => sum + cpuOf(pid!), 0)

function pssMb(pid: number): number {
  const match = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))
  return Number(match?.[1] ?? Number.NaN) / 1024
}

/** Ticks are hundredths of a second on Linux. */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}
