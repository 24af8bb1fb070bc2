// The whole way of a readiness: a kubelet says that a pod is ready, and its Service's virtual IP answers; and back. API server,
// controllers and proxy are processes of their own, as on a cluster. `--services N --endpoints M` are there beside it.
import type { Bench, BenchOptions, BenchResult } from './bench.ts'
import { inNamespace } from './namespace.ts'

export type Wanted = { readonly services: number; readonly endpoints: number; readonly rounds: number }

export const bench: Bench = {
  about: 'a pod becomes ready, and its virtual IP answers',
  async run({ short, own, say }: BenchOptions): Promise<BenchResult> {
    if (process.getuid?.() !== 0) return { figures: {}, skipped: ['needs root'] }
    const wanted: Wanted = {
      services: Number(own.get('services') ?? (short ? 50 : 5000)),
      endpoints: Number(own.get('endpoints') ?? 10),
      rounds: Number(own.get('rounds') ?? (short ? 5 : 200)),
    }
    return inNamespace<BenchResult>('ready/driver.ts', [JSON.stringify(wanted)], say)
  },
}
