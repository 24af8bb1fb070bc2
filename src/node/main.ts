// effect: the agent of a node as a process
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createRecorder } from '#client/events.ts'
import { serveHealth } from '#daemon/health.ts'
import type { PartContext } from '#daemon/part.ts'
import { createQueue } from '#daemon/queue.ts'
import { openRoute } from '#kernel/route/open-route.ts'
import type { AgentContext } from '#node/agent/agent-context.ts'
import { ImagePuller } from '#node/agent/image-puller.ts'
import { podEvents } from '#node/agent/pod-events.ts'
import { isMirror, PodSync } from '#node/agent/pod-sync.ts'
import { watchPods, type PodSource } from '#node/agent/pod-source.ts'
import { watchServices } from '#node/agent/service-cache.ts'
import { StatusPublisher } from '#node/agent/status-publisher.ts'
import { PodStopper } from '#node/agent/stop-pod.ts'
import { describeNetwork } from '#node/cni/attach.ts'
import { planNetwork, renderConflist } from '#node/cni/network.ts'
import { MirrorPods } from '#node/mirror/mirror-pods.ts'
import type { AgentOptions } from '#node/options.ts'
import { parseResolvConf } from '#node/pod/resolv-conf.ts'
import { isRunning, uidLabel } from '#node/pod/view.ts'
import { Prober } from '#node/probe/prober.ts'
import { runProbe } from '#node/probe/run-probe.ts'
import { observeMachine } from '#node/register/machine.ts'
import { planNodeStatus } from '#node/register/node-object.ts'
import { Registration } from '#node/register/registration.ts'
import { openSandboxRuntime } from '#node/sandbox/open-runtime.ts'
import { namesIn, replaceFile } from '#node/sandbox/records.ts'
import { serveAgent } from '#node/server/agent-server.ts'
import { ownCertificate } from '#node/server/own-certificate.ts'
import { ObjectCache } from '#node/volumes/object-cache.ts'
import { PodVolumes } from '#node/volumes/pod-volumes.ts'
import { Tokens } from '#node/volumes/tokens.ts'

const resyncMs = 60_000

/** Runs the pods of this node until the signal aborts. The pods go on after it, and are taken up by the next run. */
export async function run(options: AgentOptions, context: PartContext): Promise<void> {
  const { client, nodeName, nodeIps, rootDir, runDir } = options
  const { clock, log, registry, signal } = context
  const logRoot = join(rootDir, 'logs')
  mkdirSync(logRoot, { recursive: true, mode: 0o700 })
  const runtime = await openSandboxRuntime({
    stateFolder: join(rootDir, 'runtime'),
    runFolder: runDir,
    secretFolders: options.secretDirs,
    clock,
    log,
  })
  const facts = observeMachine(rootDir)
  let problems: readonly string[] = [
    'container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:the node has no pod CIDR yet',
  ]
  const nodeInput = () => ({
    name: nodeName,
    ips: nodeIps,
    facts,
    runtimeVersion: runtime.version,
    port: options.api.port,
    problems,
  })
  const recorder = createRecorder(client, { component: 'kubelet', host: nodeName, clock, log })
  const events = podEvents(recorder)

  // Whatever changes marks the pod; the queue brings it where it shall be.
  const queue = createQueue({ name: 'pods', clock, log, workers: 256, registry, handle: (uid) => podSync.sync(uid) })
  const source: PodSource = watchPods(client, nodeName, {
    signal,
    log,
    onChange(uid, pod, old) {
      const graceOf = (one: typeof pod) => one?.metadata.deletionGracePeriodSeconds ?? Infinity
      if (graceOf(pod) < graceOf(old) || pod === undefined)
        stopper.hasten(uid, podSync.view(uid).containers.filter(isRunning), 1000 * (pod ? graceOf(pod) : 0))
      if (isMirror((pod ?? old)!)) mirrors.mark((pod ?? old)!.metadata.name)
      queue.mark(uid)
    },
  })
  const services = watchServices(client, { signal, log })
  const shared: AgentContext = {
    client,
    runtime,
    events,
    clock,
    log,
    nodeName,
    hostIps: nodeIps,
    clusterDns: { servers: options.clusterDns, domain: options.clusterDomain },
    nodeDns: () => parseResolvConf(readFileSync(options.resolvConf, 'utf8')),
    allocatable: () => planNodeStatus(nodeInput(), undefined, 0).allocatable ?? {},
    logRoot,
    pods: source.pods,
    publishedStatus: (uid) => publisher.published(uid),
  }
  const prober: Prober = new Prober({
    clock,
    newest: (uid, name) => podSync.view(uid).containers.find(({ metadata }) => metadata.name === name),
    isStarted(uid, container, id) {
      if (container.startupProbe === undefined || prober.verdict(id, 'startup') === 'success') return true
      const { containerStatuses = [], initContainerStatuses = [] } = publisher.published(uid) ?? {}
      const known = [...containerStatuses, ...initContainerStatuses].find(({ name }) => name === container.name)
      return known?.started === true && known.containerID?.endsWith(id) === true
    },
    probe: (pod, container, containerId, probe) =>
      runProbe(runtime, probe, { container, containerId, podIp: publisher.published(pod.metadata.uid)?.podIP ?? '' }),
    onVerdict(uid) {
      publisher.mark(uid)
      queue.mark(uid)
    },
    onTrouble(pod, container, kind, { kind: result, message }) {
      const what = `${kind[0]!.toUpperCase()}${kind.slice(1)} probe`
      if (result === 'warning')
        events.container(pod, container, 'Warning', 'ProbeWarning', `${what} warning: ${message}`)
      else events.container(pod, container, 'Warning', 'Unhealthy', `${what} failed: ${message}`)
    },
  })
  const publisher = new StatusPublisher({ ...shared, verdict: prober.verdict })
  const objects = new ObjectCache(client, log, (uid) => queue.mark(uid))
  const volumes = new PodVolumes({
    stateFolder: join(rootDir, 'pods'),
    runFolder: join(runDir, 'pods'),
    objects,
    tokens: new Tokens(client, clock),
    clock,
    allocatable: shared.allocatable,
  })
  const stopper = new PodStopper(shared)
  const podSync: PodSync = new PodSync({
    ...shared,
    puller: new ImagePuller(shared),
    stopper,
    lookupIn: (namespace) => objects.lookupIn(namespace),
    serviceEnv: services.env,
    folderOf: (uid) => volumes.folderOf(uid),
    publisher,
    prober,
    volumes,
    networkProblem: () => problems[0],
    markLater: (uid, afterMs) => queue.mark(uid, afterMs),
  })
  runtime.onChange((sandboxId) => {
    const uid = runtime.podSandboxStatus(sandboxId)?.labels[uidLabel]
    const pod = uid === undefined ? undefined : source.pods.get(uid)
    if (uid === undefined) return
    publisher.mark(uid)
    if (pod) prober.watch(pod)
    queue.mark(uid)
  })
  const mirrors = new MirrorPods(shared, options.parts)
  const markAll = () => {
    // Also what is here of pods that are no more.
    const here = [...runtime.listPodSandboxes()].map(({ labels }) => labels[uidLabel] ?? '')
    const folders = [join(rootDir, 'pods'), join(runDir, 'pods')].flatMap(namesIn)
    for (const uid of new Set([...source.pods.keys(), ...here, ...folders])) queue.mark(uid)
  }
  const registration = new Registration({
    client,
    clock,
    log,
    recorder,
    signal,
    input: nodeInput,
    onPodCidrs(cidrs) {
      const network = planNetwork(cidrs, { hairpin: options.hairpinMode, mtu: mtuOfNode() })
      if (network === undefined) {
        problems = [`the node's pod CIDR ${cidrs.join(', ')} has no room for pods`]
        return
      }
      runtime.setNetwork(network)
      replaceFile(join(rootDir, 'cni', '10-fairway.conflist'), renderConflist(network))
      if (problems.length > 0) log.info(`Pods have a network: ${describeNetwork(network)}`)
      problems = []
      registration.mark()
      markAll()
    },
  })

  const { cert, key } = options.tls ?? ownCertificate(join(rootDir, 'pki'), nodeName, nodeIps)
  const { host, port } = options.api
  const address = host === '0.0.0.0' ? (nodeIps[0] ?? host) : host
  const server = { ...shared, registry, signal, address, port, cert, key, clientCa: options.clientCa ?? cert }
  await serveAgent({ ...server, partOf: (namespace, name) => mirrors.partOf(namespace, name) })
  options.onServing?.()
  const checks = { pods: () => undefined, network: () => problems[0] }
  if (options.healthz)
    await serveHealth({
      address: options.healthz.host,
      port: options.healthz.port,
      checks,
      notLive: ['network'],
      registry,
      signal,
    })
  log.info('Starting kubelet', { node: nodeName, runtime: runtime.version })
  recorder.event(
    { apiVersion: 'v1', kind: 'Node', name: nodeName, uid: nodeName },
    'Normal',
    'Starting',
    'Starting kubelet.',
  )

  const startPods = async () => {
    await Promise.all([source.synced, services.synced])
    markAll()
    const again = () => {
      markAll()
      clock.after(resyncMs, again)
    }
    clock.after(resyncMs, again)
    await queue.run(signal)
  }
  const atEnd = (error: unknown) => {
    if (!signal.aborted) throw error
  }
  await Promise.all([registration.run(), publisher.run(signal), mirrors.run(signal), startPods().catch(atEnd)])
  objects.stop()
}

/** Of the link that leads out; pods' packets must fit through it. */
function mtuOfNode(): number {
  using route = openRoute()
  const out = route.routes({ family: 4 }).find(({ destination }) => destination === 'default')?.link
  return (out === undefined ? undefined : route.link(out)?.mtu) ?? 1500
}
