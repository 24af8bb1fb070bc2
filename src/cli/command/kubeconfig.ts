// effect: kubeconfig files
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { clusterFlags } from '#cli/command/cluster-flags.ts'
import { defineCommand, takesNone } from '#daemon/command.ts'
import { text, toggle } from '#daemon/flags.ts'
import { requireCluster } from '#lab/cluster-file.ts'
import { mergeInto, removeFromMerged, usersKubeconfig } from '#lab/kubeconfig-file.ts'

export const kubeconfig = defineCommand({
  name: 'kubeconfig',
  summary: "print a cluster's kubeconfig, or merge it into the user's own",
  usage: '[--merge] [--remove] [--file FILE] [flags]',
  description:
    'With --merge the cluster becomes a context, and the current one, of the file that kubectl reads; nothing else of it\n' +
    'changes. fairway down takes the context out again, as --remove does before.',
  examples: [
    'fairway kubeconfig > /tmp/kubeconfig',
    'fairway kubeconfig --merge && kubectl get nodes',
    'fairway kubeconfig --name small --merge && kubectl --context fairway-small get nodes',
  ],
  flags: {
    merge: toggle({ help: 'add the cluster to the file' }),
    remove: toggle({ help: 'take the cluster out of every file that it was merged into' }),
    file: text({ help: 'which file; default: $KUBECONFIG, or ~/.kube/config', placeholder: 'FILE' }),
    ...clusterFlags,
  },
  async run({ merge, remove, file, name }, rest, { env, stdout, stderr }) {
    takesNone('kubeconfig', rest)
    const plan = requireCluster(name)
    if (remove) removeFromMerged(plan)
    if (merge) {
      const target = resolve(file ?? usersKubeconfig(env))
      stderr.write(`context ${mergeInto(target, plan)} in ${target}\n`)
    }
    if (!merge && !remove) stdout.write(readFileSync(plan.paths.kubeconfig, 'utf8'))
    return 0
  },
})
