// effect: removes a cluster
import { clusterFlags } from '#cli/command/cluster-flags.ts'
import { systemClock } from '#daemon/clock.ts'
import { defineCommand, takesNone } from '#daemon/command.ts'
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
    await removeCluster(name, progress)
    progress.end()
    return 0
  },
})
