// effect: clusters of this machine
import { renderTable } from '#lib/table.ts'
import { defineCommand, takesNone } from '#daemon/command.ts'
import { UserError } from '#daemon/error.ts'
import { listClusters, requireCluster } from '#lab/cluster-file.ts'
import { isRunning } from '#lab/fabric.ts'
import { type ClusterPlan, planPaths } from '#lab/plan.ts'
import { missingProcesses } from '#lab/processes.ts'

export const list = defineCommand({
  name: 'list',
  summary: 'the clusters of this machine',
  usage: '',
  examples: ['fairway list'],
  flags: {},
  async run(_options, rest, { stdout }) {
    takesNone('list', rest)
    const rows = listClusters().map(rowOf)
    stdout.write(
      rows.length === 0
        ? 'There is no cluster on this machine: make one with fairway up.\n'
        : renderTable([['NAME', 'STATE', 'NODES', 'NETWORK', 'KUBECONFIG'], ...rows]),
    )
    return 0
  },
})

function rowOf(name: string): readonly string[] {
  try {
    const plan = requireCluster(name)
    return [name, stateOf(plan), String(plan.cluster.members.length), plan.options.lanCidr, plan.paths.kubeconfig]
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    return [name, 'damaged', '?', '?', planPaths(name).kubeconfig]
  }
}

function stateOf(plan: ClusterPlan): string {
  if (!isRunning(plan)) return 'stopped'
  return missingProcesses(plan).length === 0 ? 'running' : 'unwell'
}
