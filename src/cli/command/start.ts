// effect: starts a cluster
import { clusterFlags, machineFlags } from '#cli/command/cluster-flags.ts'
import { systemClock } from '#daemon/clock.ts'
import { defineCommand, takesNone } from '#daemon/command.ts'
import { duration, toggle } from '#daemon/flags.ts'
import { requireCluster } from '#lab/cluster-file.ts'
import { lockCluster } from '#lab/lock.ts'
import { checkPlatform } from '#lab/machine.ts'
import { observePlatform } from '#lab/observe-machine.ts'
import { prepareMachine } from '#lab/prepare-machine.ts'
import { createProgress, renderPhases } from '#lab/progress.ts'
import { renderKubeconfigLine, renderNodes } from '#lab/report.ts'
import { start as startCluster } from '#lab/start.ts'

export const start = defineCommand({
  name: 'start',
  summary: 'bring back a cluster that was stopped, or that a reboot or a kill has taken down',
  usage: '[flags]',
  description:
    'Everything comes back as it was: objects, addresses, and pods with their volumes. What runs still is left alone.',
  examples: ['fairway start', 'fairway start --name small'],
  flags: {
    ...clusterFlags,
    wait: duration({ help: 'how long pods and Services may take to become ready; 0: do not wait', default: '60s' }),
    ...machineFlags,
    timings: toggle({ help: 'show how long each step took' }),
  },
  async run(options, rest, { signal, stdout, stderr }) {
    takesNone('start', rest)
    checkPlatform(observePlatform())
    requireCluster(options.name)
    using _lock = lockCluster(options.name)
    const plan = requireCluster(options.name)
    const progress = createProgress(stderr, systemClock)
    try {
      await prepareMachine(plan, options, progress, signal)
      const observed = await startCluster(plan, options.wait, progress, signal)
      progress.end()
      stdout.write(`${renderKubeconfigLine(plan)}\n${renderNodes(observed)}`)
      if (options.timings) stdout.write(`\n${renderPhases(progress.phases)}`)
      return 0
    } finally {
      progress.end()
    }
  },
})
