// effect: clusters of this machine
import { renderTable } from '#lib/table.ts'
import { defineCommand, takesNone } from '#daemon/command.ts'
import { listClusters, requireCluster } from '#lab/cluster-file.ts'
import { isRunning } from '#lab/fabric.ts'
import type { ClusterPlan } from '#lab/plan.ts'
import { missingProcesses } from '#lab/processes.ts'

export const list = defineCommand({
  name: 'list',
  summary: 'the clusters of this machine',
  usage: '',
  examples: ['fairway list'],
  flags: {},
  async run(_options, rest, { stdout }) {
    takesNone('list', rest)
    const rows = listClusters().map((name) => {
      const plan = requireCluster(name)
      const { members, options } = plan.cluster
      return [name, stateOf(plan), String(members.length), options.lanCidr, plan.paths.kubeconfig]
    })
    stdout.write(
      rows.length === 0
        ? 'There is no cluster on this machine: make one with fairway up.\n'
        : renderTable([['NAME', 'STATE', 'NODES', 'NETWORK', 'KUBECONFIG'], ...rows]),
    )
    return 0
  },
})

function stateOf(plan: ClusterPlan): string {
  if (!isRunning(plan)) return 'stopped'
  return missingProcesses(plan).length === 0 ? 'running' : 'unwell'
}
