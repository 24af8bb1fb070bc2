// One boot, measured from inside the namespaces that boot.ts made. Arguments: nodes, seconds to watch the idle cluster.
import { spawnSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { requireCluster } from '#lab/cluster-file.ts'
import { type Cost, observeCosts } from '#lab/cost.ts'

const [nodes = '3', idleSeconds = '0'] = process.argv.slice(2)

const up = fairway('up', '--nodes', nodes, '-f', 'examples/hostnames.yaml', '--timings')
const plan = requireCluster('fairway')
const before = observeCosts(plan)
await sleep(Number(idleSeconds) * 1000)
const after = observeCosts(plan)
const down = fairway('down')
const costs = { ...memory(after), ...(Number(idleSeconds) > 0 && idle(before, after, Number(idleSeconds))) }
console.log(JSON.stringify({ upMs: up.tookMs, downMs: down.tookMs, phases: phasesOf(up.stdout), costs }))

function fairway(...words: readonly string[]): { readonly tookMs: number; readonly stdout: string } {
  const start = performance.now()
  const { status, stdout, stderr } = spawnSync('./fairway', words, { encoding: 'utf8' })
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
