// `fairway node leave`: the machine on which it runs is no node any more.
import { contextOf, nameOf, runParts } from '#cli/process/node.ts'
import { nodeFlags, usualSubnetFile } from '#cli/process/node-flags.ts'
import { connect } from '#client/client.ts'
import { loadKubeconfig } from '#client/kubeconfig.ts'
import { defineCommand, takesNone } from '#daemon/command.ts'
import { UserError } from '#daemon/error.ts'
import { duration, toggle } from '#daemon/flags.ts'
import { agentDefaults } from '#node/defaults.ts'
import { drain, removeNode } from '#node/join/leave.ts'
import { forget } from '#node/join/forget.ts'
import { kubeconfigIn } from '#node/join/join.ts'
import { existsSync } from 'node:fs'

export const nodeLeave = defineCommand({
  name: 'node leave',
  summary: 'end the pods of this machine, take its Node away, and clean up',
  usage: '[flags]',
  description:
    'For a machine that has joined with --server, once its agent has been stopped; takes the same flags. Its pods end as they\n' +
    'want to, its Node goes, and so do links, routes, rules and --root-dir.',
  examples: [
    'fairway node leave',
    'fairway node leave --force      # the cluster does not answer any more: only clean up',
  ],
  flags: {
    ...nodeFlags,
    timeout: duration({ help: 'how long pods may take to end', default: '2m' }),
    force: toggle({ help: 'clean up whatever the cluster says' }),
  },
  async run(given, rest, { signal, stderr, stdout }) {
    takesNone('node leave', rest)
    const path = given.kubeconfig ?? kubeconfigIn(given.rootDir)
    if (!existsSync(path) && !given.force)
      throw new UserError(`this machine has joined no cluster: there is no ${path}`, {
        code: 'NotJoined',
        remedy: 'give the --root-dir that it joined with, or --force to clean up without a cluster',
      })
    const nodeName = nameOf(given)
    const context = contextOf('agent', nodeName, given, signal, stderr)
    if (existsSync(path)) {
      const client = connect(loadKubeconfig(path))
      const nodeIp = given.nodeIp.length > 0 ? given.nodeIp : await addressesOf(client, nodeName)
      const options = { client, nodeName, timeoutMs: given.timeout }
      const stop = new AbortController()
      const ending = AbortSignal.any([signal, stop.signal])
      // The agent ends pods as it always does; nothing else of the node has to change any more.
      const agent = { ...given, kubeconfig: path, nodeIp, registerNode: false, parts: ['agent'] }
      const running = runParts(agent, ending, stderr)
      const leaving = drain(options, context).finally(() => stop.abort())
      await Promise.all([leaving, running]).catch((error: unknown) => {
        if (!given.force) throw error
        context.log.warn('goes on without the cluster', { err: String(error) })
      })
      await running.catch(() => undefined)
      await removeNode(options).catch((error: unknown) => {
        if (!given.force) throw error
      })
      client.close()
    }
    await forget({ rootDir: given.rootDir, runDir: agentDefaults.runDir }, context)
    const { cleanup: cleanProxy } = await import('#proxy/leftovers.ts')
    const { cleanup: cleanNetwork } = await import('#flannel/cleanup.ts')
    await cleanProxy(context.log)
    await cleanNetwork(given.subnetFile ?? usualSubnetFile, context.log)
    stdout.write(`${nodeName} has left the cluster\n`)
    return 0
  },
})

type Client = ReturnType<typeof connect>

/** Those that the cluster knows. */
async function addressesOf(client: Client, nodeName: string): Promise<readonly string[]> {
  const { nodes } = await import('#api/core.ts')
  const { status } = await client.get(nodes, nodeName)
  return (status?.addresses ?? []).flatMap(({ type, address }) => (type === 'InternalIP' ? [address] : []))
}
