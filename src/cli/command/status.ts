import { clusterFlags } from '#cli/command/cluster-flags.ts'
import { connect } from '#client/client.ts'
import { loadKubeconfig } from '#client/kubeconfig.ts'
import { defineCommand, takesNone } from '#daemon/command.ts'
import { formatDuration } from '#lib/duration.ts'
import { renderTable } from '#lib/table.ts'
import { requireCluster } from '#lab/cluster-file.ts'
import { nodeParts } from '#lab/cluster.ts'
import { type Cost, observeCosts } from '#lab/cost.ts'
import { isRunning } from '#lab/fabric.ts'
import { askHealth } from '#lab/health.ts'
import { type ClusterPlan, expectedOf } from '#lab/plan.ts'
import { fetchBackends } from '#lab/backends.ts'
import { missingProcesses } from '#lab/processes.ts'
import { waitingFor } from '#lab/readiness.ts'
import { renderKubeconfigLine, renderNodes, renderServices } from '#lab/report.ts'
import { watchCluster } from '#lab/watch-cluster.ts'

export const status = defineCommand({
  name: 'status',
  summary: 'what runs in a cluster, what it costs, and what is unwell',
  usage: '[flags]',
  description:
    'Memory is PSS: what processes share is counted once, in parts. Every process is asked by its /readyz how it is; the\n' +
    'exit code is 1 where something is unwell.',
  examples: ['fairway status', 'fairway status --name small'],
  flags: clusterFlags,
  async run({ name }, rest, { signal, stdout }) {
    takesNone('status', rest)
    const plan = requireCluster(name)
    if (!isRunning(plan)) {
      stdout.write(`The cluster "${name}" is stopped: fairway start --name ${name} brings it back.\n`)
      return 1
    }
    const stopped = missingProcesses(plan)
    const asked = askHealth(plan, stopped, signal)
    stdout.write(`${renderKubeconfigLine(plan)}\n${renderCosts(observeCosts(plan))}`)
    const unwell = [...stopped.map((process) => `${process} does not run`), ...leftOut(plan)]
    if (!stopped.includes('control-plane')) {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(5000)])
      using watch = watchCluster(connect(loadKubeconfig(plan.paths.kubeconfig)), limit)
      try {
        await watch.synced
        const observed = watch.observe()
        stdout.write(`\n${renderNodes(observed)}\n${renderServices(observed.services, observed)}`)
        stdout.write(await showBackends(plan))
        unwell.push(...waitingFor(observed, expectedOf(plan)).map(({ what }) => what))
      } catch (error) {
        if (!limit.aborted || signal.aborted) throw error
        unwell.push('the API server does not answer')
      }
    }
    unwell.push(...(await asked))
    if (unwell.length === 0) return 0
    stdout.write(`\nunwell:\n${unwell.map((line) => `  ${line}\n`).join('')}`)
    if (stopped.length > 0) stdout.write(`  (fairway up --name ${name} starts what does not run)\n`)
    return 1
  },
})

/** Of the appliance: which nodes get connections of which Service, and why. */
async function showBackends(plan: ClusterPlan): Promise<string> {
  const backends = await fetchBackends(plan)
  if (backends.length === 0) return ''
  const rows = backends.map(({ service, node, isIn, why }) => [service, node, isIn ? 'in' : 'out', why])
  return `\n${renderTable([['LOAD BALANCER', 'NODE', 'STATE', 'WHY'], ...rows])}`
}

/** Nodes, and parts of nodes, that somebody has stopped. */
const leftOut = ({ cluster }: ClusterPlan): readonly string[] =>
  cluster.members.flatMap(({ name, power, parts }) => {
    const missing = nodeParts.filter((part) => !parts.includes(part))
    const remedy = `fairway node start ${name} --name ${cluster.options.name}`
    if (power === 'off') return [`${name} is stopped (${remedy})`]
    return missing.length === 0 ? [] : [`${name} runs without ${missing.join(', ')} (${remedy})`]
  })

/** The cluster's own processes one by one, those of pods by program. */
function renderCosts(costs: readonly Cost[]): string {
  const byName = Map.groupBy(costs, (cost) => cost.name)
  const rows = [...byName].map(([name, group]) => {
    const sum = (key: 'pssBytes' | 'cpuMs') => group.reduce((total, cost) => total + cost[key], 0)
    const age = Math.max(...group.map(({ startedMsAgo }) => startedMsAgo))
    return [
      group.length > 1 ? `${name} x ${group.length}` : name,
      group.length > 1 ? '' : String(group[0]!.pid),
      megabytes(sum('pssBytes')),
      `${(sum('cpuMs') / 1000).toFixed(2)} s`,
      `${((sum('cpuMs') / Math.max(1, age)) * 100).toFixed(1)}%`,
      formatDuration(Math.round(age / 1000) * 1000),
    ]
  })
  const total = ['total', '', megabytes(costs.reduce((sum, { pssBytes }) => sum + pssBytes, 0)), '', '', '']
  return renderTable([['PROCESS', 'PID', 'MEMORY (PSS)', 'CPU TIME', 'OF A CORE', 'AGE'], ...rows, total])
}

const megabytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`
