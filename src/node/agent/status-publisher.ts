// effect: status patches
// Tells the API server how pods are, as soon as it changes: the status is computed anew from the runtime and the probes,
// and what differs from what was told last goes out at once.
import { pods, type PodStatus } from '#api/core.ts'
import { isConflict, isNotFound } from '#client/client.ts'
import { createQueue, type Queue } from '#daemon/queue.ts'
import { equalJson } from '#lib/equal.ts'
import type { AgentContext, StoredPod } from '#node/agent/agent-context.ts'
import { withLastWords } from '#node/agent/last-words.ts'
import type { Waiting } from '#node/pod/container-status.ts'
import type { ProbeVerdict } from '#node/pod/fault.ts'
import { planStatus } from '#node/pod/status.ts'
import { viewPod } from '#node/pod/view.ts'

export type PublisherOptions = Omit<AgentContext, 'publishedStatus' | 'events'> & { readonly verdict: ProbeVerdict }

/** How long steps may take before what they have come to is told. */
const patienceMs = 1000

export class StatusPublisher {
  readonly #o: PublisherOptions
  readonly #queue: Queue
  readonly #published = new Map<string, PodStatus>()
  readonly #waiting = new Map<string, Map<string, Waiting>>()
  readonly #terminal = new Set<string>()
  readonly #failures = new Map<string, { readonly reason: string; readonly message: string }>()
  readonly #writing = new Map<string, Promise<void>>()
  readonly #inWork = new Set<string>()

  constructor(options: PublisherOptions) {
    this.#o = options
    const { clock, log } = options
    this.#queue = createQueue({ name: 'pod-status', clock, log, workers: 16, handle: (uid) => this.settle(uid) })
  }

  run(signal: AbortSignal): Promise<void> {
    return this.#queue.run(signal)
  }

  /** What was published last; before that, what the API has. */
  readonly published = (uid: string): PodStatus | undefined => this.#published.get(uid) ?? this.#o.pods.get(uid)?.status

  /** Something of the pod has changed. */
  mark(uid: string): void {
    this.#queue.mark(uid, this.#inWork.has(uid) ? patienceMs : 0)
  }

  /** Takes steps that change the pod: if they are quick, only what they end with is told. */
  async afterSteps(uid: string, act: () => Promise<void>): Promise<void> {
    this.#inWork.add(uid)
    this.mark(uid)
    try {
      await act()
    } finally {
      this.#inWork.delete(uid)
      this.mark(uid)
    }
  }

  /** Why a container that shall run does not; undefined once it does. */
  setWaiting(uid: string, container: string, why: Waiting | undefined): void {
    const reasons = this.#waiting.get(uid) ?? new Map<string, Waiting>()
    if (why === undefined ? reasons.delete(container) : reasons.set(container, why)) this.mark(uid)
    this.#waiting.set(uid, reasons)
  }

  /** Nothing of the pod will run again. */
  setTerminal(uid: string): void {
    this.#terminal.add(uid)
    this.mark(uid)
  }

  /** The node gives the pod up, whatever its containers do. */
  setFailure(uid: string, reason: string, message: string): void {
    this.#failures.set(uid, { reason, message })
    this.mark(uid)
  }

  forget(uid: string): void {
    for (const map of [this.#published, this.#waiting, this.#failures]) map.delete(uid)
    this.#terminal.delete(uid)
  }

  /** Publishes what is true now; resolves when the API server has it. */
  async settle(uid: string): Promise<void> {
    const before = this.#writing.get(uid) ?? Promise.resolve()
    const writing = before.catch(() => undefined).then(() => this.#write(uid))
    this.#writing.set(uid, writing)
    await writing.finally(() => {
      if (this.#writing.get(uid) === writing) this.#writing.delete(uid)
    })
  }

  /** What the status is by all that is known now. */
  plan(pod: StoredPod): PodStatus {
    const { runtime, verdict, hostIps, clock } = this.#o
    const { uid } = pod.metadata
    return planStatus({
      pod,
      view: withLastWords(viewPod(uid, runtime.listPodSandboxes(), runtime.listContainers())),
      runtimeName: runtime.version.split('://')[0]!,
      verdict,
      waiting: (container) => this.#waiting.get(uid)?.get(container),
      previous: this.published(uid),
      hostIps,
      nowMs: clock.now(),
      isTerminal: this.#terminal.has(uid),
      failure: this.#failures.get(uid),
    })
  }

  async #write(uid: string): Promise<void> {
    const pod = this.#o.pods.get(uid)
    if (pod === undefined) return
    const { name, namespace } = pod.metadata
    const status = this.plan(pod)
    if (equalJson(status, ownPart(this.published(uid), status))) return
    // The UID makes it a conflict where another pod of the same name has taken the place.
    const patch = { metadata: { uid }, status: withoutStale(status, this.published(uid)) }
    try {
      await this.#o.client.patch(pods, name, patch, { type: 'strategic', namespace, subresource: 'status' })
    } catch (error) {
      if (isNotFound(error) || isConflict(error)) return
      throw error
    }
    if (this.#o.pods.has(uid)) this.#published.set(uid, status)
  }
}

/** The fields and conditions of an older status that a new one speaks of. */
function ownPart(old: PodStatus | undefined, status: PodStatus): PodStatus {
  const types = new Set(status.conditions?.map(({ type }) => type))
  const picked = Object.keys(status).map((field) => [field, old?.[field as keyof PodStatus]])
  const conditions = (old?.conditions ?? []).filter(({ type }) => types.has(type))
  return { ...Object.fromEntries(picked), conditions: inOrder(conditions, status) } as PodStatus
}

const inOrder = (conditions: NonNullable<PodStatus['conditions']>, { conditions: order = [] }: PodStatus) =>
  order.flatMap(({ type }) => conditions.find((condition) => condition.type === type) ?? [])

/** A patch merges conditions by type and addresses by IP: what went away has to be said. */
function withoutStale(status: PodStatus, old: PodStatus | undefined): object {
  const replaced = { $patch: 'replace' }
  const hasOtherIps = !equalJson(old?.podIPs, status.podIPs) && (old?.podIPs ?? []).length > 0
  const cleared = (status.conditions ?? []).map((condition) => {
    const before = old?.conditions?.find(({ type }) => type === condition.type)
    return {
      ...condition,
      ...(before?.reason !== undefined && condition.reason === undefined && { reason: null }),
      ...(before?.message !== undefined && condition.message === undefined && { message: null }),
    }
  })
  return {
    ...status,
    conditions: cleared,
    ...(hasOtherIps && { podIPs: [replaced, ...(status.podIPs ?? [])] }),
    ...(old?.reason !== undefined && status.reason === undefined && { reason: null }),
    ...(old?.message !== undefined && status.message === undefined && { message: null }),
  }
}
