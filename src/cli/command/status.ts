import { clusterFlags } from '#cli/command/cluster-flags.ts'
import { connect } from '#client/client.ts'
import { loadKubeconfig } from '#client/kubeconfig.ts'
import { defineCommand, takesNone } from '#daemon/command.ts'
import { formatDuration } from '#lib/duration.ts'
import { renderTable } from '#lib/table.ts'
import { requireCluster } from '#lab/cluster-file.ts'
import { type Cost, observeCosts } from '#lab/cost.ts'
import { type ClusterPlan, nodesOf } from '#lab/plan.ts'
import { planProcesses } from '#lab/process-plan.ts'
import { runningProcesses } from '#lab/processes.ts'
import { waitingFor } from '#lab/readiness.ts'
import { renderKubeconfigLine, renderNodes, renderServices } from '#lab/report.ts'
import { watchCluster } from '#lab/watch-cluster.ts'

export const status = defineCommand({
  name: 'status',
  summary: 'what runs in a cluster, what it costs, and what is unwell',
  usage: '[flags]',
  examples: ['fairway status', 'fairway status --name small'],
  flags: clusterFlags,
  async run({ name }, rest, { signal, stdout }) {
    takesNone('status', rest)
    const plan = requireCluster(name)
    const stopped = missingProcesses(plan)
    stdout.write(`${renderKubeconfigLine(plan)}\n${renderCosts(observeCosts(plan))}`)
    const unwell = stopped.map((process) => `${process} does not run`)
    if (!stopped.includes('control-plane')) {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(5000)])
      using watch = watchCluster(connect(loadKubeconfig(plan.paths.kubeconfig)), limit)
      try {
        await watch.synced
        const observed = watch.observe()
        stdout.write(`\n${renderNodes(observed)}\n${renderServices(observed.services, observed)}`)
        const nodes = nodesOf(plan).map((node) => node.name)
        unwell.push(...waitingFor(observed, nodes).map(({ what }) => what))
      } catch (error) {
        if (!limit.aborted || signal.aborted) throw error
        unwell.push('the API server does not answer')
      }
    }
    if (unwell.length === 0) return 0
    stdout.write(`\nunwell:\n${unwell.map((line) => `  ${line}\n`).join('')}`)
    if (stopped.length > 0) stdout.write(`  (fairway up --name ${name} starts what does not run)\n`)
    return 1
  },
})

function missingProcesses(plan: ClusterPlan): readonly string[] {
  const running = runningProcesses(plan)
  return planProcesses(plan)
    .map((process) => process.name)
    .filter((process) => !running.has(process))
}

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
