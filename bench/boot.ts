// `fairway up` as a user sees it: three nodes to DNS and a Service answering, and what the running cluster costs. It runs in
// namespaces of its own, so that this machine's clusters and network are not touched.
import { percentile, type Bench, type BenchOptions, type Figures } from './bench.ts'
import { inNamespace } from './namespace.ts'

const missing = (): string | undefined => (process.getuid?.() === 0 ? undefined : 'needs root, for network namespaces')

export const bench: Bench = {
  about:
    'up with 3 nodes to DNS and a Service answering, each phase; memory and idle cost; start with 50 pods, more nodes; down',
  run: async (options) => {
    const reason = missing()
    return reason === undefined ? { figures: await measure(options) } : { figures: {}, skipped: [reason] }
  },
}

type Sample = {
  readonly upMs: number
  readonly downMs: number
  readonly phases: Readonly<Record<string, number>>
  readonly costs: Readonly<Record<string, number>>
  readonly life: Readonly<Record<string, number>>
}

async function measure(options: BenchOptions): Promise<Figures> {
  const rounds = Number(options.own.get('rounds') ?? (options.short ? 1 : 5))
  const nodes = options.own.get('nodes') ?? '3'
  // The first one fills the compile cache and the file cache.
  await sample(nodes, options)
  const samples: Sample[] = []
  for (let round = 1; round <= rounds; round++) {
    const one = await sample(nodes, options)
    options.say(`round ${round}: up ${one.upMs.toFixed(0)} ms, down ${one.downMs.toFixed(0)} ms`)
    samples.push(one)
  }
  const median = (values: readonly number[]) => percentile(values, 0.5)
  const figures: Figures = {
    total_ms: median(samples.map(({ upMs }) => upMs)),
    down_ms: median(samples.map(({ downMs }) => downMs)),
  }
  for (const name of Object.keys(samples[0]!.phases))
    figures[`${name}_ms`] = median(samples.map(({ phases }) => phases[name] ?? 0))
  for (const name of Object.keys(samples[0]!.costs))
    figures[name] = median(samples.map(({ costs }) => costs[name] ?? 0))
  if (!options.short) Object.assign(figures, (await sample(nodes, { ...options, short: true }, 'life')).life)
  return figures
}

/** One boot in fresh namespaces. */
const sample = (nodes: string, { short, say }: BenchOptions, ...more: readonly string[]): Promise<Sample> =>
  inNamespace('boot/sample.ts', [nodes, short ? '0' : '10', ...more], say)
