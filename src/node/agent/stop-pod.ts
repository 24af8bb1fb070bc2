// effect: stops of containers
// Ends a pod's containers as Kubernetes does: the preStop hook and the stop signal share the grace period, then comes
// the kill; sidecars end after the others, the last one first.
import type { AgentContext, StoredPod } from '#node/agent/agent-context.ts'
import { runHook } from '#node/agent/hooks.ts'
import { allContainersOf } from '#node/pod/containers.ts'
import { isSidecar } from '#node/pod/restart.ts'
import type { ContainerStatus } from '#node/runtime.ts'

/** Containers get at least this long, however little the pod allows. */
const leastGraceMs = 2000

export class PodStopper {
  readonly #o: Pick<AgentContext, 'runtime' | 'events' | 'clock' | 'log'>
  /** ends the hooks of a pod that is being stopped */
  readonly #hurry = new Map<string, AbortController>()

  constructor(options: Pick<AgentContext, 'runtime' | 'events' | 'clock' | 'log'>) {
    this.#o = options
  }

  /** Stops all of them; resolves when none runs any more. `pod` is undefined where its object is gone. */
  async stopAll(uid: string, pod: StoredPod | undefined, running: readonly ContainerStatus[]): Promise<void> {
    const hurry = this.#hurry.get(uid) ?? new AbortController()
    this.#hurry.set(uid, hurry)
    const startedAt = this.#o.clock.monotonicMs()
    const isLast = ({ metadata }: ContainerStatus) =>
      (pod?.spec.initContainers ?? []).some((container) => container.name === metadata.name && isSidecar(container))
    const stop = (container: ContainerStatus) => {
      const spent = this.#o.clock.monotonicMs() - startedAt
      const graceMs = Math.max(graceOf(pod) - spent, 0)
      return this.stop(pod, container, { graceMs, signal: hurry.signal })
    }
    await Promise.all(running.filter((one) => !isLast(one)).map(stop))
    const sidecars = running.filter(isLast).toSorted((a, b) => b.createdAt - a.createdAt)
    for (const sidecar of sidecars) await stop(sidecar)
    this.#hurry.delete(uid)
  }

  /** The grace period became shorter: what is being stopped ends by then. */
  hasten(uid: string, running: readonly ContainerStatus[], graceMs: number): void {
    const hurry = this.#hurry.get(uid)
    if (hurry === undefined) return
    hurry.abort()
    for (const { id } of running)
      void this.#o.runtime.stopContainer(id, Math.max(graceMs, leastGraceMs)).catch(() => undefined)
  }

  /** One container, with its hook; `message` is for the event. */
  async stop(
    pod: StoredPod | undefined,
    status: ContainerStatus,
    o: { readonly message?: string; readonly graceMs: number; readonly signal?: AbortSignal },
  ): Promise<void> {
    const { runtime, events, clock, log } = this.#o
    const { name } = status.metadata
    const container = pod && allContainersOf(pod.spec).find((one) => one.name === name)
    if (pod && container)
      events.container(pod, container, 'Normal', 'Killing', o.message ?? `Stopping container ${name}`)
    const startedAt = clock.monotonicMs()
    const preStop = container?.lifecycle?.preStop
    if (container && preStop && o.graceMs > 0 && !o.signal?.aborted) {
      const [podIp = ''] = runtime.podSandboxStatus(status.sandboxId)?.ips ?? []
      const whom = { container, id: status.id, podIp }
      const problem = await runHook(this.#o, preStop, whom, o.graceMs, o.signal)
      if (problem !== undefined) {
        log.error('PreStop hook failed', { container: name, err: problem })
        if (pod) events.container(pod, container, 'Warning', 'FailedPreStopHook', 'PreStopHook failed')
      }
    }
    const left = o.graceMs - (clock.monotonicMs() - startedAt)
    log.info('Killing container with a grace period', {
      container: name,
      gracePeriod: Math.round(Math.max(left, leastGraceMs) / 1000),
    })
    await runtime.stopContainer(status.id, Math.max(left, leastGraceMs))
  }
}

/** What was asked when it was deleted, else what its spec says; a pod whose object is gone was deleted by force. */
export const graceOf = (pod: StoredPod | undefined): number =>
  pod ? 1000 * (pod.metadata.deletionGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 30) : 0
