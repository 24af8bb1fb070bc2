// The pod network of two nodes, each back end against node to node, against the same network made by hand, and against flannel's
// own program: `--peer flanneld=PATH`; `--rounds N`, `--back-ends host-gw,vxlan`. Joining as the 100th node; repairing a device that was taken away.
import { spawn } from 'node:child_process'
import type { Bench, BenchOptions, BenchResult } from './bench.ts'

export type Wanted = {
  /** of each run of iperf3 */
  readonly seconds: number
  readonly rounds: number
  readonly peers: number
  /** undefined: all */
  readonly backEnds: readonly string[] | undefined
  readonly flanneld: string | undefined
}

export const bench: Bench = {
  about: 'pods to pods across nodes: throughput, latency, CPU per byte; joining and repair',
  async run({ short, peers, own, say }: BenchOptions): Promise<BenchResult> {
    if (process.getuid?.() !== 0) return { figures: {}, skipped: ['needs root'] }
    const rounds = Number(own.get('rounds') ?? (short ? 1 : 7))
    const backEnds = own.get('back-ends')?.split(',')
    const wanted: Wanted = { seconds: 1, rounds, peers: short ? 9 : 99, backEnds, flanneld: peers.get('flanneld') }
    say('the seeds say: host-gw loses about 10 %, VXLAN 20 to 30 %')
    return JSON.parse(await inNamespace(wanted, say)) as BenchResult
  },
}

/** Runs pod-network/driver.ts where it touches nobody; answers the last line that it prints. */
function inNamespace(wanted: Wanted, say: (line: string) => void): Promise<string> {
  const driver = new URL('pod-network/driver.ts', import.meta.url).pathname
  const inside = 'ip link set lo up; mount -t tmpfs tmpfs /run && mkdir -p /run/lock /run/netns && exec "$@"'
  const node = [process.execPath, '--disable-warning=ExperimentalWarning', driver, JSON.stringify(wanted)]
  const words = ['--net', '--mount', '--propagation', 'private', 'sh', '-c', inside, 'sh', ...node]
  const child = spawn('unshare', words, { stdio: ['ignore', 'pipe', 'inherit'] })
  let last = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    for (const line of text.split('\n').filter(Boolean))
      if (line.startsWith('{')) last = line
      else say(line)
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) =>
      code === 0 ? resolve(last) : reject(new Error(`bench/pod-network/driver.ts exited with ${code}`)),
    )
  })
}
