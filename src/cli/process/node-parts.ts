// The parts of a node, each started with what `fairway node` was told. Only those that are asked for are loaded.
import { basename, dirname, join } from 'node:path'
import { readPool } from '#cli/process/address-pool.ts'
import {
  checkCidrs,
  checkIps,
  components,
  type NodeFlags,
  type Part,
  usualSubnetFile,
} from '#cli/process/node-flags.ts'
import { readRequired } from '#cli/read-required.ts'
import { connect, type Client } from '#client/client.ts'
import { loadKubeconfig } from '#client/kubeconfig.ts'
import type { PartContext } from '#daemon/part.ts'
import { tellReady } from '#daemon/ready.ts'
import { ipFamily } from '#lib/ip.ts'
import { agentDefaults } from '#node/defaults.ts'
import type { NodePart } from '#node/mirror/mirror-pod.ts'
import { proxyDefaults } from '#proxy/options.ts'

/** What all parts are started with. */
type Common = {
  readonly options: NodeFlags
  readonly nodeName: string
  readonly client: Client
  readonly parts: readonly Part[]
}

export async function startPart(part: Part, common: Common, context: PartContext): Promise<void> {
  switch (part) {
    case 'agent':
      return startAgent(common, context)
    case 'proxy':
      return startProxy(common, context)
    case 'flannel':
      return startFlannel(common, context)
    case 'announcer':
      return startAnnouncer(common, context)
    case 'provisioner':
      return startProvisioner(common, context)
  }
}

async function startAgent({ options, nodeName, client, parts }: Common, context: PartContext): Promise<void> {
  const { run } = await import('#node/main.ts')
  const { rootDir, kubeconfig, subnetFile, tlsCertFile, tlsPrivateKeyFile, clientCaFile } = options
  const startedAtMs = context.clock.now()
  await run(
    {
      ...agentDefaults,
      client,
      nodeName,
      registerNode: options.registerNode,
      nodeIps: checkIps(options.nodeIp),
      rootDir,
      imageDir: options.imageDir,
      secretDirs: secretDirs(rootDir),
      tls:
        tlsCertFile && tlsPrivateKeyFile
          ? { cert: readRequired(tlsCertFile), key: readRequired(tlsPrivateKeyFile) }
          : undefined,
      requestTls: await servingOf(options, nodeName, client, context),
      clientCa: clientCaFile ? readRequired(clientCaFile) : loadKubeconfig(kubeconfig).ca,
      clusterDns: options.clusterDns,
      clusterDomain: options.clusterDomain,
      resolvConf: options.resolvConf,
      hairpinMode: options.hairpinMode,
      subnetFile: subnetFile ?? (parts.includes('flannel') ? usualSubnetFile : undefined),
      parts: options.logDir === undefined ? [] : shownParts(parts, nodeName, options.logDir, startedAtMs),
      onReported: tellReady,
    },
    context,
  )
}

/** A node that has joined is given its certificate by the cluster. */
async function servingOf(options: NodeFlags, nodeName: string, client: Client, { log }: PartContext) {
  if (options.server === undefined || options.tlsCertFile !== undefined) return undefined
  const { requestServing } = await import('#node/join/join.ts')
  return (signal: AbortSignal) => requestServing(client, nodeName, options.nodeIp, { signal, log })
}

/** The other parts as they shall be seen in kube-system. */
const shownParts = (
  parts: readonly Part[],
  nodeName: string,
  logDir: string,
  startedAtMs: number,
): readonly NodePart[] =>
  parts
    .filter((part) => part !== 'agent')
    .map((part) => ({
      name: components[part],
      command: ['fairway', part],
      logPath: logPathOf(part, nodeName, logDir),
      startedAtMs,
      problem: () => undefined,
    }))

async function startProxy({ options, nodeName, ...common }: Common, context: PartContext): Promise<void> {
  const { run } = await import('#proxy/main.ts')
  const { clusterCidr, proxyMode: mode, nodeIp, proxyKubeconfig } = options
  const client = clientOf(proxyKubeconfig, common.client)
  await run(
    {
      ...proxyDefaults,
      client,
      nodeName,
      mode,
      clusterCidrs: checkCidrs(clusterCidr),
      nodeIp: nodeIp[0],
      // Nothing drops packets outside of a connection's window in this mode: they must not count as INVALID either.
      conntrack: { ...proxyDefaults.conntrack, tcpBeLiberal: mode === 'nftables' },
    },
    context,
  )
}

async function startFlannel({ options, nodeName, ...common }: Common, context: PartContext): Promise<void> {
  const { run } = await import('#flannel/main.ts')
  const { defaultOptions } = await import('#flannel/options.ts')
  const { defaultBackend } = await import('#flannel/network-config.ts')
  const client = clientOf(options.flannelKubeconfig, common.client)
  const cidrs = checkCidrs(options.clusterCidr)
  const networks = Object.fromEntries(cidrs.map((cidr) => [ipFamily(cidr.split('/')[0]!), cidr]))
  const config = { networks, backend: { ...defaultBackend, type: options.podNetwork }, rules: options.podNetworkRules }
  // The interface that has the node's address leads to the other nodes.
  const interfaces = options.nodeIp.slice(0, 1)
  const subnetFile = options.subnetFile ?? usualSubnetFile
  const keeper = { kind: 'kubernetes', client } as const
  await run({ ...defaultOptions, keeper, nodeName, config, interfaces, subnetFile }, context)
}

async function startAnnouncer({ options, nodeName, ...common }: Common, context: PartContext): Promise<void> {
  const { announcerHealth: health, run } = await import('#balancer/announce/main.ts')
  // It reads what the proxy reads.
  const client = clientOf(options.proxyKubeconfig, common.client)
  await run({ client, nodeName, pool: readPool(options.addressPool)!, health }, context)
}

async function startProvisioner({ options, nodeName, ...common }: Common, context: PartContext): Promise<void> {
  const { provisionerHealth: health, run } = await import('#storage/main.ts')
  const client = clientOf(options.provisionerKubeconfig, common.client)
  await run({ client, nodeName, folder: join(options.rootDir, 'volumes'), health }, context)
}

const clientOf = (kubeconfig: string | undefined, node: Client): Client =>
  kubeconfig === undefined ? node : connect(loadKubeconfig(kubeconfig))

export const logPathOf = (part: Part, nodeName: string, logDir: string) =>
  join(logDir, `${components[part]}-${nodeName}.log`)

/** Where keys lie beside the agent's own state: `fairway up` puts a node's folder into nodes/ of its cluster's. */
const secretDirs = (rootDir: string): readonly string[] => {
  const parent = dirname(rootDir)
  return ['/var/lib/fairway', rootDir, ...(basename(parent) === 'nodes' ? [dirname(parent)] : [])]
}
