// The pod network of two nodes, each back end against node to node, against the same network made by hand, and against flannel's
// own program: `--peer flanneld=PATH`; `--rounds N`, `--back-ends host-gw,vxlan`. Joining as the 100th node; repairing a device that was taken away.
import type { Bench, BenchOptions, BenchResult } from './bench.ts'
import { inNamespace } from './namespace.ts'

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
    return inNamespace<BenchResult>('pod-network/driver.ts', [JSON.stringify(wanted)], say)
  },
}
