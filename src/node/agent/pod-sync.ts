// effect: sandboxes and containers of the runtime, folders of logs
// Brings one pod to what the API server wants of it, step by step from whatever is found: the same for a new pod, for
// one whose container died, and for one that an agent before this has left half made. Called by the queue whenever
// something about the pod changed; one pod is in work only once at a time.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pods, type Container } from '#api/core.ts'
import { isPodTerminal, isPodTerminating } from '#api/pod-state.ts'
import { isConflict, isNotFound } from '#client/client.ts'
import { messageOf } from '#daemon/error.ts'
import { formatPod, type StoredPod } from '#node/agent/agent-context.ts'
import { startContainer, type StartContext } from '#node/agent/start-container.ts'
import type { StatusPublisher } from '#node/agent/status-publisher.ts'
import { graceOf } from '#node/agent/stop-pod.ts'
import { planActions, type PodActions } from '#node/pod/actions.ts'
import { planSandboxConfig } from '#node/pod/container-config.ts'
import type { PodFacts } from '#node/pod/downward.ts'
import { planDns } from '#node/pod/resolv-conf.ts'
import { isSidecar } from '#node/pod/restart.ts'
import { isRunning, podIpsOf, viewPod, type PodView } from '#node/pod/view.ts'
import type { Prober } from '#node/probe/prober.ts'
import { namesIn } from '#node/sandbox/records.ts'
import { type Place, type PodVolumes, VolumeError } from '#node/volumes/pod-volumes.ts'

export type PodSyncOptions = StartContext & {
  readonly publisher: StatusPublisher
  readonly prober: Prober
  readonly volumes: PodVolumes
  /** the reason why pods cannot have a network yet */
  readonly networkProblem: () => string | undefined
  /** comes back to the pod later */
  readonly markLater: (uid: string, afterMs: number) => void
}

/** A mirror pod shows a part of the node; there is nothing to run for it. */
export const isMirror = (pod: StoredPod): boolean =>
  pod.metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined

const retryMs = 2000

export class PodSync {
  readonly #o: PodSyncOptions
  /** when a container that could not be made is tried again, by pod and name: its failure is no news that counts */
  readonly #notBefore = new Map<string, number>()

  constructor(options: PodSyncOptions) {
    this.#o = options
  }

  async sync(uid: string): Promise<void> {
    const pod = this.#o.pods.get(uid)
    if (pod === undefined) return this.#remove(uid)
    if (isMirror(pod)) return
    if (isPodTerminating(pod) || isPodTerminal(pod)) return this.#end(pod)
    await this.#o.publisher.afterSteps(uid, () => this.#run(pod))
  }

  view(uid: string): PodView {
    const { runtime } = this.#o
    return viewPod(uid, runtime.listPodSandboxes(), runtime.listContainers())
  }

  async #run(pod: StoredPod): Promise<void> {
    const { prober, networkProblem, events, markLater } = this.#o
    const { uid } = pod.metadata
    if (this.#isPastDeadline(pod)) return this.#end(pod)
    const problem = pod.spec.hostNetwork ? undefined : networkProblem()
    if (problem !== undefined) {
      events.pod(pod, 'Warning', 'NetworkNotReady', `network is not ready: ${problem}`)
      return markLater(uid, retryMs)
    }
    const volumePlaces = await this.#setUpVolumes(pod)
    if (volumePlaces === undefined) return
    const actions = planActions(pod, this.view(uid), prober.verdict)
    if (actions.killPod && !actions.createSandbox) return this.#end(pod)
    await this.#kill(pod, actions)
    const sandboxId = actions.createSandbox ? await this.#createSandbox(pod, actions) : actions.sandboxId
    if (sandboxId === undefined) return
    // Volumes that show the pod's own address are written once it has one.
    if (actions.createSandbox) await this.#setUpVolumes(pod)
    for (const container of actions.startEphemeral) await this.#start(pod, sandboxId, volumePlaces, container)
    for (const container of actions.startInit) {
      const isStarted = await this.#start(pod, sandboxId, volumePlaces, container)
      if (!isStarted && !isSidecar(container)) break
    }
    for (const container of actions.start) await this.#start(pod, sandboxId, volumePlaces, container)
    prober.watch(pod)
  }

  /** A pod may bound how long it is active; past that it has failed. */
  #isPastDeadline(pod: StoredPod): boolean {
    const { publisher, clock, events, markLater } = this.#o
    const { uid } = pod.metadata
    const startedAt = Date.parse(publisher.published(uid)?.startTime ?? '')
    const seconds = pod.spec.activeDeadlineSeconds
    if (seconds === undefined || Number.isNaN(startedAt)) return false
    const leftMs = startedAt + 1000 * seconds - clock.now()
    if (leftMs > 0) markLater(uid, leftMs)
    else {
      const message = 'Pod was active on the node longer than the specified deadline'
      events.pod(pod, 'Normal', 'DeadlineExceeded', message)
      publisher.setFailure(uid, 'DeadlineExceeded', message)
    }
    return leftMs <= 0
  }

  #facts(pod: StoredPod): PodFacts {
    const { hostIps } = this.#o
    return { podIps: podIpsOf(pod, this.view(pod.metadata.uid), hostIps), hostIps }
  }

  /** undefined where a volume cannot be had yet. */
  async #setUpVolumes(pod: StoredPod): Promise<ReadonlyMap<string, Place> | undefined> {
    const { volumes, events, markLater } = this.#o
    const { uid } = pod.metadata
    try {
      const { places, againMs } = await volumes.setUp(pod, this.#facts(pod))
      if (againMs !== undefined) markLater(uid, againMs)
      return places
    } catch (error) {
      const where = error instanceof VolumeError ? `volume "${error.volume}" ` : 'volumes '
      events.pod(pod, 'Warning', 'FailedMount', `MountVolume.SetUp failed for ${where}: ${messageOf(error)}`)
      markLater(uid, retryMs)
      return undefined
    }
  }

  async #kill(pod: StoredPod, { killPod, kill, sandboxId }: PodActions): Promise<void> {
    const { runtime, stopper, events, prober } = this.#o
    const { uid } = pod.metadata
    const { sandboxes, containers } = this.view(uid)
    if (killPod) {
      if (sandboxId !== undefined)
        events.pod(pod, 'Normal', 'SandboxChanged', 'Pod sandbox changed, it will be killed and re-created.')
      await stopper.stopAll(uid, pod, containers.filter(isRunning))
      for (const { id } of sandboxes) await runtime.stopPodSandbox(id)
      // Of sandboxes before, only the last is kept: its containers' logs and exit codes are still asked for.
      for (const { id } of sandboxes.slice(1)) await runtime.removePodSandbox(id)
    }
    for (const { id, name, message, reason } of kill) {
      const status = containers.find((container) => container.id === id)
      if (status === undefined) continue
      const container = [...(pod.spec.initContainers ?? []), ...pod.spec.containers].find((one) => one.name === name)
      const probe = reason === 'livenessProbe' ? container?.livenessProbe : container?.startupProbe
      const ownGrace = reason === 'other' ? undefined : probe?.terminationGracePeriodSeconds
      const graceMs = ownGrace === undefined ? graceOf(pod) : 1000 * ownGrace
      await stopper.stop(pod, status, { message, graceMs })
    }
    if (killPod)
      prober.forget(
        uid,
        containers.map(({ id }) => id),
      )
  }

  async #createSandbox(pod: StoredPod, { attempt }: PodActions): Promise<string | undefined> {
    const { runtime, events, clusterDns, nodeDns, logRoot, markLater, log } = this.#o
    const { dns, warnings } = planDns(pod, clusterDns, nodeDns())
    for (const warning of warnings) events.pod(pod, 'Warning', 'DNSConfigForming', warning)
    try {
      const config = planSandboxConfig(pod, { attempt, dns, logRoot, clusterDomain: clusterDns.domain })
      return await runtime.runPodSandbox(config)
    } catch (error) {
      const message = messageOf(error)
      log.error('CreatePodSandbox for pod failed', { pod: formatPod(pod), err: message })
      events.pod(pod, 'Warning', 'FailedCreatePodSandBox', `Failed to create pod sandbox: ${message}`)
      markLater(pod.metadata.uid, retryMs)
      return undefined
    }
  }

  /** False where it has to wait. */
  async #start(
    pod: StoredPod,
    sandboxId: string,
    volumePlaces: ReadonlyMap<string, Place>,
    container: Container,
  ): Promise<boolean> {
    const { publisher, markLater, clock } = this.#o
    const { uid } = pod.metadata
    const key = `${uid}/${container.name}`
    const tooEarlyMs = (this.#notBefore.get(key) ?? 0) - clock.monotonicMs()
    if (tooEarlyMs > 0) {
      markLater(uid, tooEarlyMs)
      return false
    }
    const input = { pod, view: this.view(uid), sandboxId, facts: this.#facts(pod), volumePlaces }
    const result = await startContainer(this.#o, input, container)
    publisher.setWaiting(uid, container.name, result.kind === 'waiting' ? result.waiting : undefined)
    this.#notBefore.delete(key)
    if (result.kind === 'started') return true
    markLater(uid, result.againMs)
    if (result.isStrained) this.#notBefore.set(key, clock.monotonicMs() + result.againMs)
    return false
  }

  /** The pod shall run no more: it is being deleted, or it has come to its end by itself. */
  async #end(pod: StoredPod): Promise<void> {
    const { runtime, stopper, publisher, prober, volumes, client } = this.#o
    const { uid, name, namespace } = pod.metadata
    const { sandboxes, containers } = this.view(uid)
    prober.stopJudging(uid)
    publisher.mark(uid)
    await stopper.stopAll(uid, pod, containers.filter(isRunning))
    prober.forget(
      uid,
      containers.map(({ id }) => id),
    )
    for (const { id, state } of sandboxes) if (state === 'ready') await runtime.stopPodSandbox(id)
    publisher.setTerminal(uid)
    await publisher.settle(uid)
    if (!isPodTerminating(this.#o.pods.get(uid) ?? pod)) return
    await volumes.tearDown(uid)
    try {
      await client.delete(pods, name, { namespace, gracePeriodSeconds: 0, uid })
    } catch (error) {
      // Gone already, or another pod has its name: either way there is nothing to delete.
      if (!isNotFound(error) && !isConflict(error)) throw error
    }
  }

  /** The pod's object is gone: so goes all that is left of it. */
  async #remove(uid: string): Promise<void> {
    const { runtime, stopper, publisher, prober, volumes, puller, logRoot } = this.#o
    const { sandboxes, containers } = this.view(uid)
    prober.forget(
      uid,
      containers.map(({ id }) => id),
    )
    await stopper.stopAll(uid, undefined, containers.filter(isRunning))
    for (const { id } of sandboxes) await runtime.removePodSandbox(id)
    await volumes.tearDown(uid)
    for (const name of namesIn(logRoot).filter((folder) => folder.endsWith(`_${uid}`)))
      await rm(join(logRoot, name), { recursive: true, force: true })
    puller.forget(uid)
    publisher.forget(uid)
    for (const key of this.#notBefore.keys()) if (key.startsWith(`${uid}/`)) this.#notBefore.delete(key)
  }
}
