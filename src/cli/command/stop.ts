// effect: stops a cluster
import { clusterFlags } from '#cli/command/cluster-flags.ts'
import { systemClock } from '#daemon/clock.ts'
import { defineCommand, takesNone } from '#daemon/command.ts'
import { duration } from '#daemon/flags.ts'
import { requireCluster } from '#lab/cluster-file.ts'
import { lockCluster } from '#lab/lock.ts'
import { checkPlatform } from '#lab/machine.ts'
import { observePlatform } from '#lab/observe-machine.ts'
import { createProgress } from '#lab/progress.ts'
import { stop as stopCluster } from '#lab/stop.ts'

export const stop = defineCommand({
  name: 'stop',
  summary: 'end everything that runs in a cluster, and keep the cluster',
  usage: '[flags]',
  description:
    "Objects, addresses, pods' volumes and logs stay on disk; fairway start goes on from there. To this machine it is as\n" +
    'if the cluster were not there: no process, no link, no namespace.',
  examples: ['fairway stop', 'fairway stop --name small --grace-period 0s'],
  flags: {
    gracePeriod: duration({ help: 'how long containers may take to end', default: '2s' }),
    ...clusterFlags,
  },
  async run({ name, gracePeriod }, rest, { stderr }) {
    takesNone('stop', rest)
    checkPlatform(observePlatform())
    requireCluster(name)
    using _lock = lockCluster(name)
    const progress = createProgress(stderr, systemClock)
    await stopCluster(name, gracePeriod, progress)
    progress.end()
    return 0
  },
})
