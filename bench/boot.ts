// `fairway up` as a user sees it: three nodes to DNS and a Service answering, and what the running cluster costs. It runs in
// namespaces of its own, so that this machine's clusters and network are not touched.
import { spawnSync } from 'node:child_process'
import { percentile, type Bench, type BenchOptions, type Figures } from './bench.ts'

const missing = (): string | undefined => (process.getuid?.() === 0 ? undefined : 'needs root, for network namespaces')

export const bench: Bench = {
  about:
    'up with 3 nodes to DNS and a Service answering, each phase; memory and idle cost; start with 50 pods, more nodes; down',
  run: async (options) => {
    const reason = missing()
    return reason === undefined ? { figures: measure(options) } : { figures: {}, skipped: [reason] }
  },
}

type Sample = {
  readonly upMs: number
  readonly downMs: number
  readonly phases: Readonly<Record<string, number>>
  readonly costs: Readonly<Record<string, number>>
  readonly life: Readonly<Record<string, number>>
}

function measure(options: BenchOptions): Figures {
  const rounds = Number(options.own.get('rounds') ?? (options.short ? 1 : 5))
  const nodes = options.own.get('nodes') ?? '3'
  // The first one fills the compile cache and the file cache.
  sample(nodes, options.short)
  const samples = Array.from({ length: rounds }, (_, i) => {
    const one = sample(nodes, options.short)
    options.say(`round ${i + 1}: up ${one.upMs.toFixed(0)} ms, down ${one.downMs.toFixed(0)} ms`)
    return one
  })
  const median = (values: readonly number[]) => percentile(values, 0.5)
  const figures: Figures = {
    total_ms: median(samples.map(({ upMs }) => upMs)),
    down_ms: median(samples.map(({ downMs }) => downMs)),
  }
  for (const name of Object.keys(samples[0]!.phases))
    figures[`${name}_ms`] = median(samples.map(({ phases }) => phases[name] ?? 0))
  for (const name of Object.keys(samples[0]!.costs))
    figures[name] = median(samples.map(({ costs }) => costs[name] ?? 0))
  if (!options.short) Object.assign(figures, sample(nodes, true, 'life').life)
  return figures
}

/** One boot in fresh namespaces. The inner program prints one line of JSON. */
function sample(nodes: string, short: boolean, more = ''): Sample {
  const inside =
    'ip link set lo up; mount -t tmpfs tmpfs /run; mkdir -p /run/lock /var/lib/fairway; ' +
    'mount -t tmpfs tmpfs /var/lib/fairway; mount -t sysfs sysfs /sys; exec "$@"'
  const node = [
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    'bench/boot/sample.ts',
    nodes,
    short ? '0' : '5',
    more,
  ]
  const { status, stdout, stderr } = spawnSync(
    'unshare',
    ['--net', '--mount', '--propagation', 'private', 'sh', '-c', inside, 'sh', ...node],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
  )
  if (status !== 0) throw new Error(`a boot failed:\n${stderr}${stdout}`)
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as Sample
}
