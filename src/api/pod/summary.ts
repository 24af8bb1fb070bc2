// A pod in one line: what `kubectl get pods` shows as READY, STATUS and RESTARTS (Kubernetes' printers). The status is
// the most telling of phase, conditions and container states, so its words are known everywhere: Init:0/1,
// CrashLoopBackOff, Completed, Terminating.

import type { Container, ContainerStatus, Pod } from '#api/core.ts'
import { isPodReady, isPodTerminal, podCondition } from '#api/pod-state.ts'

export type PodSummary = {
  readonly readyContainers: number
  readonly totalContainers: number
  readonly status: string
  readonly restarts: number
  /** when the last container stopped that was started again */
  readonly lastRestart: string | undefined
}

/** An init container that keeps running beside the others (a sidecar). */
export function isSidecar(container: Container | undefined): boolean {
  return container?.restartPolicy === 'Always'
}

export function summarizePod(pod: Pod): PodSummary {
  const sidecars = (pod.spec?.initContainers ?? []).filter(isSidecar)
  const totalContainers = (pod.spec?.containers?.length ?? 0) + sidecars.length
  const init = summarizeInit(pod, new Set(sidecars.map((container) => container.name)))
  const isInitialized = init.status === undefined || podCondition(pod, 'Initialized')?.status === 'True'
  const main = isInitialized ? summarizeContainers(pod, init.status ?? phaseOf(pod)) : undefined
  const counted = main
    ? [...init.sidecars, ...(pod.status?.containerStatuses ?? [])]
    : (pod.status?.initContainerStatuses ?? []).slice(0, init.seen)
  return {
    readyContainers: init.ready + (main?.ready ?? 0),
    totalContainers,
    status: finalStatus(pod, main?.status ?? init.status ?? phaseOf(pod)),
    restarts: counted.reduce((sum, { restartCount }) => sum + (restartCount ?? 0), 0),
    lastRestart: lastRestartOf(counted),
  }
}

function phaseOf(pod: Pod): string {
  if (pod.status?.conditions?.some(({ type, reason }) => type === 'PodScheduled' && reason === 'SchedulingGated'))
    return 'SchedulingGated'
  return pod.status?.reason || pod.status?.phase || ''
}

type InitSummary = {
  readonly ready: number
  /** set while the pod is still initializing */
  readonly status: string | undefined
  /** how many statuses count: up to and with the one that is at work */
  readonly seen: number
  readonly sidecars: readonly ContainerStatus[]
}

function summarizeInit(pod: Pod, sidecarNames: ReadonlySet<string>): InitSummary {
  const statuses = pod.status?.initContainerStatuses ?? []
  const total = pod.spec?.initContainers?.length ?? 0
  let ready = 0
  const sidecars: ContainerStatus[] = []
  for (const [at, container] of statuses.entries()) {
    const isSidecar = sidecarNames.has(container.name)
    if (isSidecar) sidecars.push(container)
    if (container.state?.terminated?.exitCode === 0) continue
    if (isSidecar && container.started) {
      if (container.ready) ready++
      continue
    }
    return { ready, status: initStatus(container, at, total), seen: at + 1, sidecars }
  }
  return { ready, status: undefined, seen: statuses.length, sidecars }
}

function initStatus({ state }: ContainerStatus, at: number, total: number): string {
  if (state?.terminated) return `Init:${terminatedText(state.terminated)}`
  const reason = state?.waiting?.reason
  return reason && reason !== 'PodInitializing' ? `Init:${reason}` : `Init:${at}/${total}`
}

type Terminated = NonNullable<NonNullable<ContainerStatus['state']>['terminated']>

function terminatedText(terminated: Terminated): string {
  if (terminated.reason) return terminated.reason
  return terminated.signal ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode}`
}

function summarizeContainers(pod: Pod, phase: string): { readonly ready: number; readonly status: string } {
  let ready = 0
  let status = phase
  let failure = ''
  // From the last container to the first, so that the first one's trouble is what shows.
  for (const { state, ready: isReady } of (pod.status?.containerStatuses ?? []).toReversed()) {
    if (state?.waiting?.reason) status = state.waiting.reason
    else if (state?.terminated) {
      status = terminatedText(state.terminated)
      if (state.terminated.exitCode !== 0) failure = status
    } else if (isReady && state?.running) ready++
  }
  // One container is done, another still at work.
  if (status === 'Completed') {
    if (ready > 0 && isPodReady(pod)) status = 'Running'
    else if (failure !== '') status = failure
    else if (ready > 0) status = 'NotReady'
  }
  return { ready, status }
}

function finalStatus(pod: Pod, status: string): string {
  if (pod.metadata?.deletionTimestamp === undefined) return status
  if (pod.status?.reason === 'NodeLost') return 'Unknown'
  return isPodTerminal(pod) ? status : 'Terminating'
}

function lastRestartOf(statuses: readonly ContainerStatus[]): string | undefined {
  return statuses
    .map(({ lastState }) => lastState?.terminated?.finishedAt)
    .filter((time) => time !== undefined)
    .sort()
    .at(-1)
}
