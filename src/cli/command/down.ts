// effect: removes a cluster
import { clusterFlags } from '#cli/command/cluster-flags.ts'
import { systemClock } from '#daemon/clock.ts'
import { defineCommand, type Output, takesNone } from '#daemon/command.ts'
import { UserError } from '#daemon/error.ts'
import { loadCluster } from '#lab/cluster-file.ts'
import { removeFromMerged } from '#lab/kubeconfig-file.ts'
import { down as removeCluster } from '#lab/down.ts'
import { lockCluster } from '#lab/lock.ts'
import { checkPlatform } from '#lab/machine.ts'
import { observePlatform } from '#lab/observe-machine.ts'
import { createProgress } from '#lab/progress.ts'

export const down = defineCommand({
  name: 'down',
  summary: 'remove a cluster and everything that belongs to it',
  usage: '[flags]',
  examples: ['fairway down', 'fairway down --name small'],
  flags: clusterFlags,
  async run({ name }, rest, { stderr }) {
    takesNone('down', rest)
    checkPlatform(observePlatform())
    using _lock = lockCluster(name)
    const progress = createProgress(stderr, systemClock)
    forget(name, stderr)
    await removeCluster(name, progress)
    progress.end()
    return 0
  },
})

/** What keeps the user's kubeconfig from being tidied keeps nobody from removing the cluster. */
function forget(name: string, stderr: Output): void {
  try {
    const plan = loadCluster(name)
    if (plan) removeFromMerged(plan)
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    stderr.write(`${error.message}\n`)
  }
}
