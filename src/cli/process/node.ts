// `fairway node`: a node of a cluster. The agent that runs its pods, the Service proxy and the pod network, in one
// process; each has its own log file, metrics and health port, and each can be left out to be started apart.
import { hostname } from 'node:os'
import { endInTime } from '#cli/part-command.ts'
import { checkParts, type NodeFlags, nodeFlags, type Part } from '#cli/process/node-flags.ts'
import { logPathOf, startPart } from '#cli/process/node-parts.ts'
import { connect } from '#client/client.ts'
import { loadKubeconfig } from '#client/kubeconfig.ts'
import { systemClock } from '#daemon/clock.ts'
import { defineCommand, takesNone } from '#daemon/command.ts'
import { messageOf, UserError } from '#daemon/error.ts'
import { createLogger } from '#daemon/log.ts'
import { logFile } from '#daemon/log-file.ts'
import { createRegistry } from '#daemon/metrics.ts'
import type { PartContext } from '#daemon/part.ts'

export const node = defineCommand({
  name: 'node',
  summary: 'a node: runs pods, and carries their packets and Services',
  usage: '[flags]',
  description:
    'Needs root, conmon, crun and iptables (for --pod-network-rules iptables), and a network and mount namespace of its own or a\n' +
    'machine to itself. Pods outlive it: the next run finds them again.',
  examples: [
    'fairway node --kubeconfig node-1.conf --node-name node-1 --node-ip 10.168.0.2',
    'fairway node --server https://10.0.0.1:6443 --token 0a1b2c.0123456789abcdef   # joins; the next start needs no token',
    'fairway node --kubeconfig node-1.conf --parts agent                 # proxy and pod network run apart',
  ],
  flags: nodeFlags,
  async run(given, rest, { signal, stderr }) {
    takesNone('node', rest)
    return runParts(await joined(given, signal, stderr), signal, stderr)
  },
})

/** Runs the parts of a node until the signal; answers the exit code. */
export function runParts(
  options: NodeFlags,
  signal: AbortSignal,
  stderr: { write(text: string): unknown },
): Promise<number> {
  // Without a pool there is nothing to announce.
  const parts = checkParts(options.parts).filter((part) => part !== 'announcer' || options.addressPool.length > 0)
  const nodeName = nameOf(options)
  const stop = new AbortController()
  const contexts = new Map(
    parts.map((part) => [part, contextOf(part, nodeName, options, AbortSignal.any([signal, stop.signal]), stderr)]),
  )
  const client = connect(loadKubeconfig(options.kubeconfig))
  // A part that fails takes the others with it: the node is whole or it is not there.
  const running = parts.map((part) =>
    startPart(part, { options, nodeName, client, parts }, contexts.get(part)!).catch((error: unknown) => {
      stop.abort()
      throw error
    }),
  )
  return endInTime(
    Promise.all(running).then(() => undefined),
    contexts.get(parts[0]!)!,
  )
}

export const nameOf = ({ nodeName }: NodeFlags): string => (nodeName ?? hostname()).trim().toLowerCase()

/** With --server: the same flags once this machine has its kubeconfig and an address. */
async function joined(options: NodeFlags, signal: AbortSignal, stderr: { write(text: string): unknown }) {
  const { server, token, caCertHash: caHash, rootDir } = options
  if (server === undefined) return options
  if (!/^https:\/\/[^/]+$/.test(server) || !URL.canParse(server))
    throw new UserError(`--server: not the URL of an API server: "${server}"`, {
      code: 'BadFlag',
      exitCode: 2,
      remedy: 'for example --server https://10.0.0.1:6443',
    })
  const { join: joinCluster } = await import('#node/join/join.ts')
  const { addressTowards } = await import('#node/join/discover.ts')
  const { log, clock } = contextOf('agent', nameOf(options), options, signal, stderr)
  const nodeIp = options.nodeIp.length > 0 ? options.nodeIp : [await addressTowards(server)]
  const context = { signal, log, nowMs: clock.now() }
  const nodeName = nameOf(options)
  const kubeconfig = await joinCluster({ server, token, caHash, nodeName, rootDir }, context)
  const { keepClientCertificate } = await import('#node/join/renew.ts')
  keepClientCertificate(kubeconfig, nodeName, { signal, log, clock }).catch((error: unknown) =>
    log.error('the certificate of this node is kept no more', { err: messageOf(error) }),
  )
  return { ...options, kubeconfig, nodeIp }
}

export function contextOf(
  part: Part,
  nodeName: string,
  { logDir, logFormat: format, v: level }: NodeFlags,
  signal: AbortSignal,
  stderr: { write(text: string): unknown },
): PartContext {
  const file = logDir === undefined ? undefined : logFile(logPathOf(part, nodeName, logDir))
  const write = (line: string) => void (file ?? stderr).write(line)
  return { signal, log: createLogger({ format, level, write }), clock: systemClock, registry: createRegistry() }
}
