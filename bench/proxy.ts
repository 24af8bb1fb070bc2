// The Service proxy against a real API server, in a network namespace of its own: all rules at once, one change, a burst,
// a restart. `--services N --endpoints M --mode iptables|nftables|ipvs [--backend legacy|nft]`, `--peer kube-proxy=PATH`. For IPVS
// on a kernel that has none: `fairway vm -- sh -c 'modprobe -a ip_vs_rr dummy xt_set xt_ipvs && npm run bench -- proxy --mode ipvs'`.
import type { Bench, BenchOptions, BenchResult } from './bench.ts'
import { inNamespace } from './namespace.ts'

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
    return inNamespace<BenchResult>('proxy/driver.ts', [JSON.stringify(wanted)], say)
  },
}
