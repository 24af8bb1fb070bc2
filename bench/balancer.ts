// Load balancers of the pool, as a client outside sees them: how long an address is silent when the node that answers for it
// dies. It runs a cluster in namespaces of its own.
import { percentile, type Bench, type BenchOptions, type Figures } from './bench.ts'
import { inNamespace } from './namespace.ts'

export const bench: Bench = {
  about: 'an address of a load balancer moves when its node dies',
  run: async (options) => {
    if (process.getuid?.() !== 0) return { figures: {}, skipped: ['needs root, for network namespaces'] }
    return { figures: await measure(options) }
  },
}

async function measure({ own, short, say }: BenchOptions): Promise<Figures> {
  const rounds = own.get('rounds') ?? (short ? '1' : '5')
  const { samples } = await inNamespace<{ samples: readonly number[] }>('balancer/takeover.ts', [rounds], say)
  for (const [i, ms] of samples.entries()) say(`round ${i + 1}: ${ms.toFixed(0)} ms`)
  return { takeover_ms: percentile(samples, 0.5), takeover_most_ms: Math.max(...samples) }
}
