// `fairway node`: a node of a cluster. The agent that runs its pods, the Service proxy and the pod network, in one
// process; each has its own log file, metrics and health port, and each can be left out to be started apart.
import { hostname } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { endInTime, logFlags, partFlags } from '#cli/part-command.ts'
import { addressPoolFlag, readPool } from '#cli/process/address-pool.ts'
import { readRequired } from '#cli/read-required.ts'
import { connect, type Client } from '#client/client.ts'
import { loadKubeconfig } from '#client/kubeconfig.ts'
import { systemClock } from '#daemon/clock.ts'
import { defineCommand, takesNone } from '#daemon/command.ts'
import { messageOf, UserError } from '#daemon/error.ts'
import { choice, list, text, toggle, type OptionsOf } from '#daemon/flags.ts'
import { createLogger } from '#daemon/log.ts'
import { logFile } from '#daemon/log-file.ts'
import { createRegistry } from '#daemon/metrics.ts'
import type { PartContext } from '#daemon/part.ts'
import { tellReady } from '#daemon/ready.ts'
import { canonicalCidr } from '#lib/cidr.ts'
import { canonicalIp, ipFamily } from '#lib/ip.ts'
import { hairpinModes } from '#node/cni/network.ts'
import { agentDefaults } from '#node/defaults.ts'
import type { NodePart } from '#node/mirror/mirror-pod.ts'
import { proxyDefaults, proxyModes } from '#proxy/options.ts'

/** What a node is made of, and the names by which Kubernetes knows these parts. */
const components = {
  agent: 'kubelet',
  proxy: 'kube-proxy',
  flannel: 'kube-flannel',
  announcer: 'fairway-announcer',
  provisioner: 'fairway-provisioner',
} as const
type Part = keyof typeof components
/** As in flannel's backends.ts, which is not loaded for the help. */
const podNetworks = ['vxlan', 'host-gw', 'udp'] as const
const podNetworkRules = ['iptables', 'nftables'] as const
const allParts = Object.keys(components) as Part[]

export const nodeFlags = {
  nodeName: text({ help: 'name of the Node; default: the host name', placeholder: 'NAME', env: 'NODE_NAME' }),
  nodeIp: list({
    help: "the node's addresses, the primary one first; default with --server: the one that it reaches the server by",
    placeholder: 'IP',
  }),
  server: text({ help: 'join the cluster of this API server: https://HOST:PORT', placeholder: 'URL' }),
  token: text({ help: 'bootstrap token to join with, the first time', placeholder: 'TOKEN', env: 'FAIRWAY_TOKEN' }),
  caCertHash: text({
    help: "what the cluster's authority has to be, beside the token's proof",
    placeholder: 'sha256:HEX',
  }),
  registerNode: toggle({ help: 'create the Node object where it is missing', default: true }),
  parts: list({ help: `which parts to run: ${allParts.join(', ')}`, default: allParts, placeholder: 'PART' }),
  rootDir: text({ help: "pods' volumes, logs and records", default: '/var/lib/fairway-node', placeholder: 'DIR' }),
  imageDir: text({ help: 'images that were imported', placeholder: 'DIR' }),
  logDir: text({ help: 'where each part writes its log; without it to standard error', placeholder: 'DIR' }),
  tlsCertFile: text({
    help: "certificate of the agent's API on port 10250; default: one of its own",
    placeholder: 'FILE',
  }),
  tlsPrivateKeyFile: text({ help: 'its key', placeholder: 'FILE' }),
  clientCaFile: text({
    help: 'authority of clients of that API; default: that of the kubeconfig',
    placeholder: 'FILE',
  }),
  clusterDns: list({ help: "addresses of the cluster's DNS", default: agentDefaults.clusterDns, placeholder: 'IP' }),
  clusterDomain: text({ help: "the cluster's domain", default: agentDefaults.clusterDomain, placeholder: 'DOMAIN' }),
  clusterCidr: list({
    help: 'range of all pods, one per address family',
    default: ['10.244.0.0/16'],
    placeholder: 'CIDR',
  }),
  podNetworkRules: choice(podNetworkRules, {
    help:
      'who is told of masquerading and forwarding: iptables, as with flannel, or nftables, which need no program but let nothing\n' +
      'through that a policy of iptables drops',
    default: 'iptables',
  }),
  podNetwork: choice(podNetworks, { help: "how packets reach other nodes: flannel's back end", default: 'vxlan' }),
  subnetFile: text({
    help: "flannel's subnet.env, which the agent waits for; default: /run/flannel/subnet.env where flannel is a part",
    placeholder: 'FILE',
  }),
  resolvConf: text({
    help: "resolver configuration for pods that use the node's",
    default: agentDefaults.resolvConf,
    placeholder: 'FILE',
  }),
  hairpinMode: choice(hairpinModes, {
    help: 'how a pod reaches itself through its Service',
    default: agentDefaults.hairpinMode,
  }),
  proxyMode: choice(proxyModes, { help: 'how Services get into the kernel', default: proxyDefaults.mode }),
  ...addressPoolFlag,
  kubeconfig: partFlags.kubeconfig,
  proxyKubeconfig: text({ help: 'as whom the proxy speaks; default: as the node does', placeholder: 'FILE' }),
  flannelKubeconfig: text({ help: 'as whom the pod network speaks; default: as the node does', placeholder: 'FILE' }),
  provisionerKubeconfig: text({
    help: 'as whom the provisioner speaks; default: as the node does',
    placeholder: 'FILE',
  }),
  ...logFlags,
}
export type NodeFlags = OptionsOf<typeof nodeFlags>
export const usualSubnetFile = '/run/flannel/subnet.env'

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
    start(part, { options, nodeName, client, parts }, contexts.get(part)!).catch((error: unknown) => {
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

type Common = {
  readonly options: NodeFlags
  readonly nodeName: string
  readonly client: Client
  readonly parts: readonly Part[]
}

async function start(part: Part, common: Common, context: PartContext): Promise<void> {
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

const logPathOf = (part: Part, nodeName: string, logDir: string) => join(logDir, `${components[part]}-${nodeName}.log`)

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

/** Where keys lie beside the agent's own state: `fairway up` puts a node's folder into nodes/ of its cluster's. */
const secretDirs = (rootDir: string): readonly string[] => {
  const parent = dirname(rootDir)
  return ['/var/lib/fairway', rootDir, ...(basename(parent) === 'nodes' ? [dirname(parent)] : [])]
}

function checkParts(words: readonly string[]): readonly Part[] {
  const unknown = words.find((word) => !allParts.includes(word as Part))
  if (unknown === undefined && words.length > 0) return allParts.filter((part) => words.includes(part))
  throw new UserError(`--parts: there is no part "${unknown ?? ''}"`, {
    code: 'BadFlag',
    exitCode: 2,
    remedy: `a node has ${allParts.join(', ')}`,
  })
}

function checkIps(texts: readonly string[]): readonly string[] {
  if (texts.length === 0)
    throw new UserError('--node-ip is missing: the address that other nodes reach this one by', {
      code: 'MissingFlag',
      exitCode: 2,
    })
  return texts.map((text) => {
    const ip = canonicalIp(text)
    if (ip !== undefined) return ip
    throw new UserError(`--node-ip: "${text}" is not an IP address`, { code: 'BadFlag', exitCode: 2 })
  })
}

const checkCidrs = (texts: readonly string[]): readonly string[] =>
  texts.map((text) => {
    const cidr = canonicalCidr(text)
    if (cidr !== undefined) return cidr
    throw new UserError(`--cluster-cidr: "${text}" is not a CIDR`, { code: 'BadFlag', exitCode: 2 })
  })
