// effect: the agent of a node as a process
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createRecorder } from '#client/events.ts'
import { limitWrites } from '#client/limit.ts'
import { messageOf } from '#daemon/error.ts'
import { serveHealth } from '#daemon/health.ts'
import type { PartContext } from '#daemon/part.ts'
import { NodeNetwork } from '#node/agent/node-network.ts'
import { createPodAgent, type PodAgent } from '#node/agent/pod-agent.ts'
import { podEvents } from '#node/agent/pod-events.ts'
import { MirrorPods } from '#node/mirror/mirror-pods.ts'
import type { AgentOptions } from '#node/options.ts'
import { parseResolvConf } from '#lib/resolv-conf.ts'
import { observeMachine } from '#node/register/machine.ts'
import { planNodeStatus } from '#node/register/node-object.ts'
import { Registration } from '#node/register/registration.ts'
import { openSandboxRuntime } from '#node/sandbox/open-runtime.ts'
import { serveAgent, type AgentServer } from '#node/server/agent-server.ts'
import { ownCertificate } from '#node/server/own-certificate.ts'
import { keepServing, loadServing } from '#node/server/serving-certificate.ts'

/** Writes at once: what goes beyond the connections that are kept opens new ones, and TLS costs more than a write. */
const mostWrites = { pods: 3, events: 1 } as const

/** Runs the pods of this node until the signal aborts. The pods go on after it, and are taken up by the next run. */
export async function run(options: AgentOptions, context: PartContext): Promise<void> {
  const { nodeName, nodeIps, rootDir, runDir } = options
  const { clock, log, registry, signal } = context
  const client = limitWrites(options.client, mostWrites.pods)
  const logRoot = join(rootDir, 'logs')
  mkdirSync(logRoot, { recursive: true, mode: 0o700 })
  const runtime = await openSandboxRuntime({
    stateFolder: join(rootDir, 'runtime'),
    runFolder: runDir,
    secretFolders: options.secretDirs,
    imageFolder: options.imageDir,
    clock,
    log,
  })
  const network = new NodeNetwork({
    folder: join(rootDir, 'cni'),
    hairpin: options.hairpinMode,
    subnetFile: options.subnetFile,
    log,
    apply: (wanted) => runtime.setNetwork(wanted),
  })
  const facts = observeMachine(rootDir)
  const runtimeVersion = runtime.version
  const self = () => ({
    name: nodeName,
    ips: nodeIps,
    facts,
    runtimeVersion,
    port: options.api.port,
    problems: [network.problem() ?? []].flat(),
  })
  // No pod waits for what is told about it.
  const recorder = createRecorder(limitWrites(options.client, mostWrites.events), {
    component: 'kubelet',
    host: nodeName,
    clock,
    log,
  })
  const agent: PodAgent = createPodAgent({
    client,
    runtime,
    events: podEvents(recorder),
    clock,
    log,
    registry,
    signal,
    rootDir,
    runDir,
    nodeName,
    hostIps: nodeIps,
    clusterDns: { servers: options.clusterDns, domain: options.clusterDomain },
    nodeDns: () => parseResolvConf(readFileSync(options.resolvConf, 'utf8')),
    allocatable: () => planNodeStatus(self(), undefined, 0).allocatable ?? {},
    logRoot,
    networkProblem: network.problem,
    onMirror: (pod) => mirrors.follow(pod),
  })
  const reported = Promise.withResolvers<void>()
  const mirrors = new MirrorPods(agent.context, options.parts)
  const registration = new Registration({
    // A lease waits for nobody.
    client: options.client,
    clock,
    log,
    recorder,
    signal,
    input: self,
    registerNode: options.registerNode,
    told: agent.told,
    onReported() {
      reported.resolve()
      options.onReported?.()
      keepCertificate()
    },
    onPodCidrs(cidrs) {
      if (!network.follow(cidrs)) return
      registration.mark()
      agent.markAll()
    },
  })
  network.watch(() => {
    registration.mark()
    agent.markAll()
  }, signal)
  const server = await serve(options, context, agent, mirrors)
  const pkiFolder = join(rootDir, 'pki')
  let isKept = false
  const keepCertificate = () => {
    const { requestTls } = options
    if (requestTls === undefined || isKept) return
    isKept = true
    const serving = { folder: pkiFolder, ips: nodeIps, request: requestTls, use: server.useCertificate }
    keepServing(serving, context).catch((error: unknown) =>
      log.error('the certificate to serve with is kept no more', { err: messageOf(error) }),
    )
  }
  if (options.healthz) {
    const { host: address, port } = options.healthz
    await serveHealth({ address, port, checks: { network: network.problem }, notLive: ['network'], registry, signal })
  }
  log.info('Starting kubelet', { node: nodeName, runtime: runtimeVersion })
  const about = { apiVersion: 'v1', kind: 'Node', name: nodeName, uid: nodeName }
  recorder.event(about, 'Normal', 'Starting', 'Starting kubelet.')
  await Promise.all([registration.run(), agent.run(), mirrors.run(reported.promise, signal)])
}

function serve(
  { api, nodeIps, nodeName, rootDir, tls, requestTls, clientCa }: AgentOptions,
  { clock, registry, signal }: PartContext,
  { context }: PodAgent,
  mirrors: MirrorPods,
): Promise<AgentServer> {
  const folder = join(rootDir, 'pki')
  const given = tls ?? (requestTls && loadServing(folder, nodeIps, clock.now()))
  const { cert, key } = given ?? ownCertificate(folder, nodeName, nodeIps)
  return serveAgent({
    ...context,
    registry,
    signal,
    address: api.host === '0.0.0.0' ? (nodeIps[0] ?? api.host) : api.host,
    port: api.port,
    cert,
    key,
    // Nobody has a certificate of our own authority, so that without another one nobody comes in.
    clientCa: clientCa ?? cert,
    partOf: (namespace, name) => mirrors.partOf(namespace, name),
  })
}
