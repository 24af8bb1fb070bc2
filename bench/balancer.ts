// Load balancers of the pool, as a client outside sees them: how long an address is silent when the node that answers for it
// dies. It runs a cluster in namespaces of its own.
import { spawnSync } from 'node:child_process'
import { percentile, type Bench, type BenchOptions } from './bench.ts'

export const bench: Bench = {
  about: 'an address of a load balancer moves when its node dies',
  run: async (options) => {
    if (process.getuid?.() !== 0) return { figures: {}, skipped: ['needs root, for network namespaces'] }
    return { figures: measure(options) }
  },
}

function measure(options: BenchOptions) {
  const rounds = Number(options.own.get('rounds') ?? (options.short ? 1 : 5))
  const inside =
    'ip link set lo up; mount -t tmpfs tmpfs /run; mkdir -p /run/lock /run/netns /var/lib/fairway; ' +
    'mount -t tmpfs tmpfs /var/lib/fairway; mount -t sysfs sysfs /sys; mount -t tmpfs tmpfs /sys/fs/cgroup; exec "$@"'
  const node = [process.execPath, '--disable-warning=ExperimentalWarning', 'bench/balancer/takeover.ts', String(rounds)]
  const { status, stdout, stderr } = spawnSync(
    'unshare',
    ['--net', '--mount', '--propagation', 'private', 'sh', '-c', inside, 'sh', ...node],
    { encoding: 'utf8' },
  )
  if (status !== 0) throw new Error(`the cluster failed:\n${stdout}${stderr}`)
  const samples = JSON.parse(stdout.trim().split('\n').at(-1)!) as readonly number[]
  for (const [i, ms] of samples.entries()) options.say(`round ${i + 1}: ${ms.toFixed(0)} ms`)
  return { takeover_ms: percentile(samples, 0.5), takeover_most_ms: Math.max(...samples) }
}
