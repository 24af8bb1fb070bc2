// effect: removes a cluster
import { clusterFlags } from '#cli/command/cluster-flags.ts'
import { systemClock } from '#daemon/clock.ts'
import { defineCommand, takesNone } from '#daemon/command.ts'
import { loadCluster } from '#lab/cluster-file.ts'
import { down as removeCluster } from '#lab/down.ts'
import { lockCluster } from '#lab/lock.ts'
import { checkPlatform } from '#lab/machine.ts'
import { observePlatform } from '#lab/observe-machine.ts'
import { defaultOptions } from '#lab/options.ts'
import { planCluster } from '#lab/plan.ts'
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
    // Where its file is lost, a cluster of the largest size covers whatever may be left.
    const plan = loadCluster(name) ?? planCluster({ ...defaultOptions, name, nodes: 10 })
    const progress = createProgress(stderr, systemClock)
    await removeCluster(plan, progress)
    progress.end()
    return 0
  },
})
