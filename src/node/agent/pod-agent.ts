// effect: timers
// The pods of this node: what is wanted of them, what runs, what is told of them, put together. Whatever changes (an
// object, a container, a probe's verdict) marks the pod, and the queue brings it to where it shall be.
import { join } from 'node:path'
import { createQueue } from '#daemon/queue.ts'
import type { Registry } from '#daemon/metrics.ts'
import type { AgentContext, StoredPod } from '#node/agent/agent-context.ts'
import { ImagePuller } from '#node/agent/image-puller.ts'
import { PodSync, isMirror } from '#node/agent/pod-sync.ts'
import { watchPods } from '#node/agent/pod-source.ts'
import { watchServices } from '#node/agent/service-cache.ts'
import { StatusPublisher } from '#node/agent/status-publisher.ts'
import { PodStopper } from '#node/agent/stop-pod.ts'
import { rotateLogs } from '#node/logs/rotate-logs.ts'
import { isRunning, uidLabel } from '#node/pod/view.ts'
import { Prober, type ProberOptions } from '#node/probe/prober.ts'
import { runProbe } from '#node/probe/run-probe.ts'
import { namesIn } from '#node/sandbox/records.ts'
import { Claims } from '#node/volumes/claims.ts'
import { ObjectCache } from '#node/volumes/object-cache.ts'
import { PodVolumes } from '#node/volumes/pod-volumes.ts'
import { Tokens } from '#node/volumes/tokens.ts'

export type PodAgentOptions = Omit<AgentContext, 'pods' | 'publishedStatus'> & {
  readonly registry: Registry
  readonly signal: AbortSignal
  readonly rootDir: string
  readonly runDir: string
  readonly networkProblem: () => string | undefined
  /** something of a mirror pod has changed */
  readonly onMirror: (pod: StoredPod) => void
}

export type PodAgent = {
  readonly context: AgentContext
  /** Looks at everything anew. */
  markAll(): void
  /** Resolves once the API server has been told how every pod is that was here at the start; rejects when it shall end. */
  readonly told: Promise<void>
  /** Resolves when the signal is aborted and nothing is in work any more. */
  run(): Promise<void>
}

/** Everything is looked at once in so long, whether or not anything was heard. */
const resyncMs = 60_000
/** How often logs are looked at, as by kubelet. */
const rotateMs = 10_000
/** What is in work when the agent shall end gets this long. */
const lateMs = 500

export function createPodAgent(options: PodAgentOptions): PodAgent {
  const { client, runtime, clock, log, registry, signal, rootDir, runDir } = options
  const folders = { stateFolder: join(rootDir, 'pods'), runFolder: join(runDir, 'pods') }
  const queue = createQueue({ name: 'pods', clock, log, workers: 256, registry, handle: (uid) => sync.sync(uid) })
  const source = watchPods(client, options.nodeName, {
    signal,
    log,
    onChange(uid, pod, old) {
      const known = pod ?? old
      if (known && isMirror(known)) return options.onMirror(known)
      if (graceOf(pod) < graceOf(old))
        stopper.hasten(uid, sync.view(uid).containers.filter(isRunning), 1000 * graceOf(pod))
      queue.mark(uid)
    },
  })
  const services = watchServices(client, { signal, log })
  const context: AgentContext = { ...options, pods: source.pods, publishedStatus: (uid) => publisher.published(uid) }
  const prober: Prober = new Prober(
    proberOptions(
      context,
      () => prober,
      (uid) => {
        publisher.mark(uid)
        queue.mark(uid)
      },
    ),
  )
  const publisher = new StatusPublisher({ ...context, verdict: prober.verdict })
  const objects = new ObjectCache(client, log, (uid) => queue.mark(uid))
  const tokens = new Tokens(client, clock)
  const claims = new Claims(client)
  const volumes = new PodVolumes({ ...folders, objects, tokens, claims, clock, allocatable: options.allocatable })
  const stopper = new PodStopper(context)
  const sync: PodSync = new PodSync({
    ...context,
    puller: new ImagePuller(context),
    stopper,
    publisher,
    prober,
    volumes,
    lookupIn: (namespace) => objects.lookupIn(namespace),
    serviceEnv: services.env,
    folderOf: (uid) => volumes.folderOf(uid),
    networkProblem: options.networkProblem,
    markLater: (uid, afterMs) => queue.mark(uid, afterMs),
  })
  const unlisten = runtime.onChange((sandboxId) => {
    const uid = runtime.podSandboxStatus(sandboxId)?.labels[uidLabel]
    if (uid === undefined) return
    const pod = source.pods.get(uid)
    if (pod) prober.watch(pod)
    publisher.mark(uid)
    queue.mark(uid)
  })
  const markAll = () => {
    // Also what is here of pods that are no more.
    const here = runtime.listPodSandboxes().map(({ labels }) => labels[uidLabel] ?? '')
    const left = [folders.stateFolder, folders.runFolder].flatMap(namesIn)
    for (const uid of new Set([...source.pods.keys(), ...here, ...left])) queue.mark(uid)
  }
  const told = source.synced.then(async () => {
    await Promise.all([...source.pods].map(([uid, pod]) => (isMirror(pod) ? undefined : publisher.settle(uid))))
  })
  told.catch(() => undefined)
  return {
    context,
    markAll,
    told,
    async run() {
      const publishing = publisher.run(signal)
      // Without the Services, containers would start without their variables.
      await Promise.all([source.synced, services.synced]).catch(() => undefined)
      const again = () => {
        markAll()
        if (!signal.aborted) clock.after(resyncMs, again)
      }
      const rotate = async () => {
        await rotateLogs(runtime, clock.now())
        if (!signal.aborted) clock.after(rotateMs, () => void rotate())
      }
      if (!signal.aborted) {
        again()
        void rotate()
      }
      // A container that is being stopped may take its time; the next agent goes on with it.
      const late = new Promise<void>((resolve) => signal.addEventListener('abort', () => clock.after(lateMs, resolve)))
      await Promise.race([Promise.all([queue.run(signal), publishing]), late])
      unlisten()
      objects.stop()
    },
  }
}

const graceOf = (pod: StoredPod | undefined) => (pod ? (pod.metadata.deletionGracePeriodSeconds ?? Infinity) : 0)

function proberOptions(
  { runtime, clock, events, publishedStatus }: AgentContext,
  prober: () => Prober,
  onVerdict: (uid: string) => void,
): ProberOptions {
  return {
    clock,
    newest: (uid, name) =>
      runtime
        .listContainers()
        .filter(({ metadata, labels }) => metadata.name === name && labels[uidLabel] === uid)
        .reduce<ReturnType<ProberOptions['newest']>>((a, b) => (a && a.createdAt > b.createdAt ? a : b), undefined),
    isStarted(uid, container, id) {
      if (container.startupProbe === undefined || prober().verdict(id, 'startup') === 'success') return true
      const { containerStatuses = [], initContainerStatuses = [] } = publishedStatus(uid) ?? {}
      const known = [...containerStatuses, ...initContainerStatuses].find(({ name }) => name === container.name)
      return known?.started === true && known.containerID?.endsWith(id) === true
    },
    probe: (pod, container, containerId, probe) =>
      runProbe(runtime, probe, { container, containerId, podIp: publishedStatus(pod.metadata.uid)?.podIP ?? '' }),
    onVerdict,
    onTrouble(pod, container, kind, { kind: result, message }) {
      const what = `${kind[0]!.toUpperCase()}${kind.slice(1)} probe`
      const [reason, verb] = result === 'warning' ? ['ProbeWarning', 'warning'] : ['Unhealthy', 'failed']
      events.container(pod, container, 'Warning', reason!, `${what} ${verb}: ${message}`)
    },
  }
}
