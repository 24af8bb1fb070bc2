// One boot, measured from inside the namespaces that boot.ts made. Arguments: nodes, seconds to watch the idle cluster;
// `life` as the third: also what follows in a cluster's life.
import { spawnSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { requireCluster } from '#lab/cluster-file.ts'
import { type Cost, observeCosts } from '#lab/cost.ts'

const [nodes = '3', idleSeconds = '0', more] = process.argv.slice(2)

const fiftyPods = JSON.stringify({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'fifty' },
  spec: {
    replicas: 50,
    selector: { matchLabels: { app: 'fifty' } },
    template: {
      metadata: { labels: { app: 'fifty' } },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [{ name: 'sleep', image: 'busybox', command: ['sleep', '1000000'] }],
      },
    },
  },
})

const up = fairway('up', '--nodes', nodes, '-f', 'examples/hostnames.yaml', '--timings')
const plan = requireCluster('fairway')
// In their first quiet second processes give back what their start has left behind.
if (Number(idleSeconds) > 0) await sleep(3000)
const before = observeCosts(plan)
await sleep(Number(idleSeconds) * 1000)
const after = observeCosts(plan)
const life = more === 'life' ? liveOn() : {}
const down = fairway('down')
const costs = { ...memory(after), ...(Number(idleSeconds) > 0 && idle(before, after, Number(idleSeconds))) }
console.log(JSON.stringify({ upMs: up.tookMs, downMs: down.tookMs, phases: phasesOf(up.stdout), costs, life }))

/** Stopping and starting with 50 pods; the node after these, and the tenth. */
function liveOn(): Record<string, number> {
  run(['up', '-f', '-'], fiftyPods)
  const stopped = fairway('stop')
  const started = fairway('start')
  const added: number[] = []
  for (let count = Number(nodes); count < 10; count++) added.push(fairway('node', 'add').tookMs)
  return {
    stop_50_pods_ms: stopped.tookMs,
    start_50_pods_ms: started.tookMs,
    node_add_first_ms: added[0]!,
    node_add_tenth_ms: added.at(-1)!,
  }
}

function fairway(...words: readonly string[]): { readonly tookMs: number; readonly stdout: string } {
  return run(words)
}

function run(words: readonly string[], input = ''): { readonly tookMs: number; readonly stdout: string } {
  const start = performance.now()
  const { status, stdout, stderr } = spawnSync('./fairway', words, { encoding: 'utf8', input })
  const tookMs = performance.now() - start
  if (status === 0) return { tookMs, stdout }
  spawnSync('./fairway', ['down'])
  throw new Error(`fairway ${words.join(' ')} failed:\n${stderr}${stdout}`)
}

/** The table that --timings prints. */
function phasesOf(text: string): Record<string, number> {
  const table = text.slice(text.indexOf('PHASE ')).split('\n').slice(1)
  return Object.fromEntries(
    table
      .map((line) => line.split(/ {3,}/))
      .filter((cells) => cells.length === 4)
      .map(([name, , , took]) => [
        name!
          .toLowerCase()
          .replace(/^\d+ /, '')
          .replaceAll(/[^a-z0-9]+/g, '_'),
        Number(took),
      ]),
  )
}

/** What users run in their pods is theirs; monitors of pods, and DNS, are the cluster's. */
function isOwn({ name }: Cost): boolean {
  return !name.startsWith('pod ') || name === 'pod dns'
}

function memory(costs: readonly Cost[]): Record<string, number> {
  const sum = (wanted: (cost: Cost) => boolean) =>
    costs.filter(wanted).reduce((total, { pssBytes }) => total + pssBytes, 0) / 2 ** 20
  return {
    pss_mb: sum(isOwn),
    control_plane_pss_mb: sum(({ name }) => name === 'control-plane'),
    nodes_pss_mb: sum(({ name }) => name.startsWith('node-')),
    dns_pss_mb: sum(({ name }) => name === 'pod dns'),
    monitors_pss_mb: sum(({ name }) => name === 'conmon'),
  }
}

function idle(before: readonly Cost[], after: readonly Cost[], seconds: number): Record<string, number> {
  const used = after.filter(isOwn).reduce((total, { pid, cpuMs }) => {
    const earlier = before.find((cost) => cost.pid === pid)
    return total + cpuMs - (earlier?.cpuMs ?? cpuMs)
  }, 0)
  return { idle_core_percent: (used / (seconds * 1000)) * 100 }
}
