// effect: writes the file that is named
import { writeFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { clusterFlags } from '#cli/command/cluster-flags.ts'
import { snapshotCluster, snapshotRemote } from '#cli/command/live-snapshot.ts'
import { defineCommand, takesNone } from '#daemon/command.ts'
import { UserError } from '#daemon/error.ts'
import { text, toggle } from '#daemon/flags.ts'
import { version } from '#daemon/version.ts'
import { snapshotScript } from '#doctor/snapshot/script.ts'
import { encodeSnapshot } from '#doctor/snapshot/snapshot.ts'
import { requireRunning } from '#cli/command/running-cluster.ts'

export const snapshot = defineCommand({
  name: 'snapshot',
  summary: "collect objects and every node's kernel state into one file, to be looked at elsewhere",
  usage: '[-o FILE] [--kubeconfig FILE | --print-script]',
  description:
    'Secrets and values of environment variables are left out. For nodes that Fairway does not run on, --print-script\n' +
    'prints a shell script to be run there; several files may be given to fairway trace at once.',
  examples: [
    'fairway snapshot -o cluster.tgz                                    # of the cluster of this machine',
    'fairway trace --from 192.0.2.7 --to node/node-2:30080 --snapshot cluster.tgz',
    "fairway snapshot --print-script | ssh root@node-7 'sh -s /tmp/node-7.tgz'",
  ],
  flags: {
    output: text({ help: 'where to write it', placeholder: 'FILE', short: 'o', default: 'fairway-snapshot.tgz' }),
    kubeconfig: text({
      help: 'of any other cluster; with the state of this machine, if it is a node',
      placeholder: 'FILE',
    }),
    printScript: toggle({ help: 'print the script for other nodes' }),
    ...clusterFlags,
  },
  async run({ output, kubeconfig, printScript, name }, rest, { signal, stdout, stderr }) {
    takesNone('snapshot', rest)
    if (printScript) {
      stdout.write(snapshotScript(version))
      return
    }
    const { manifest, files } =
      kubeconfig === undefined
        ? await snapshotCluster(requireRunning(name), signal)
        : await snapshotRemote(kubeconfig, signal)
    write(output, gzipSync(encodeSnapshot(manifest, files)))
    for (const gap of manifest.gaps) stderr.write(`fairway: not in it: ${gap}\n`)
    stdout.write(`${output}: ${manifest.nodes.length} nodes, ${files.length} files\n`)
  },
})

function write(path: string, bytes: Uint8Array): void {
  try {
    writeFileSync(path, bytes, { mode: 0o600 })
  } catch (cause) {
    throw new UserError(`cannot write ${path}: ${(cause as Error).message}`, {
      code: 'CannotWrite',
      remedy: 'name another file with -o',
      cause,
    })
  }
}
