// The Service proxy against a real API server, in a network namespace of its own: all rules at once, one change, a burst,
// a restart. `--services N --endpoints M --mode iptables|nftables|ipvs [--backend legacy|nft]`, `--peer kube-proxy=PATH`. For IPVS
// on a kernel that has none: `fairway vm -- sh -c 'modprobe -a ip_vs_rr dummy xt_set xt_ipvs && npm run bench -- proxy --mode ipvs'`.
import { spawn } from 'node:child_process'
import type { Bench, BenchOptions, BenchResult } from './bench.ts'

const modes = ['nftables', 'iptables', 'ipvs'] as const

export type Wanted = {
  readonly services: number
  readonly endpoints: number
  readonly mode: (typeof modes)[number]
  readonly backend: string
  readonly changes: number
  readonly kubeProxy: string | undefined
}

export const bench: Bench = {
  about: 'Services into the kernel: full programming, one change, a burst, a restart, memory',
  async run({ short, own, peers, say }: BenchOptions): Promise<BenchResult> {
    if (process.getuid?.() !== 0) return { figures: {}, skipped: ['needs root'] }
    const number = (name: string, usual: number) => Number(own.get(name) ?? usual)
    const wanted: Wanted = {
      services: number('services', short ? 50 : 1000),
      endpoints: number('endpoints', 10),
      mode: modes.find((mode) => mode === own.get('mode')) ?? 'nftables',
      backend: own.get('backend') ?? 'nft',
      changes: number('changes', short ? 20 : 300),
      kubeProxy: peers.get('kube-proxy'),
    }
    return JSON.parse(await inNamespace(wanted, say)) as BenchResult
  },
}

/** Runs proxy/driver.ts where its rules touch nobody; answers the last line that it prints. */
function inNamespace(wanted: Wanted, say: (line: string) => void): Promise<string> {
  const driver = new URL('proxy/driver.ts', import.meta.url).pathname
  const inside = 'ip link set lo up; mount -t tmpfs tmpfs /run && mkdir -p /run/lock /run/netns && exec "$@"'
  const node = [process.execPath, '--disable-warning=ExperimentalWarning', driver, JSON.stringify(wanted)]
  const words = ['--net', '--mount', '--propagation', 'private', 'sh', '-c', inside, 'sh', ...node]
  const child = spawn('unshare', words, { stdio: ['ignore', 'pipe', 'inherit'] })
  let last = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    for (const line of text.split('\n').filter(Boolean)) {
      if (line.startsWith('{')) last = line
      else say(line)
    }
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) =>
      code === 0 ? resolve(last) : reject(new Error(`bench/proxy/driver.ts exited with ${code}`)),
    )
  })
}
