// The status of a pod as the API shows it: a pure function from the pod, what the runtime has of it and what was
// published before.

import type { ContainerStatus, Pod, PodStatus } from '#api/core.ts'
import { formatTime } from '#api/time.ts'
import { planConditions, stampConditions } from '#node/pod/conditions.ts'
import { ephemeralContainersOf } from '#node/pod/containers.ts'
import { planContainerStatus, type ContainerStatusInput } from '#node/pod/container-status.ts'
import { phaseOf, type Phase } from '#node/pod/phase.ts'
import { podIpsOf } from '#node/pod/view.ts'

export type StatusInput = ContainerStatusInput & {
  /** what was published last; at first, what the API has */
  readonly previous: PodStatus | undefined
  readonly hostIps: readonly string[]
  readonly nowMs: number
  /** everything of the pod has been stopped for good */
  readonly isTerminal: boolean
  /** the node has given the pod up, for this reason */
  readonly failure?: { readonly reason: string; readonly message: string } | undefined
}

export function planStatus(input: StatusInput): PodStatus {
  const { pod, previous, hostIps, nowMs, isTerminal } = input
  const statuses = planContainerStatuses(input)
  const { failure } = input
  const phase = failure ? 'Failed' : settled(phaseOf(pod, statuses, isTerminal), previous, pod, isTerminal)
  const hasSandbox = input.view.sandboxes[0]?.state === 'ready'
  const now = formatTime(nowMs)
  const generation = pod.metadata?.generation
  const ips = podIpsOf(pod, input.view, hostIps)
  const keepsReason = previous?.phase === phase
  return {
    ...(generation !== undefined && { observedGeneration: generation }),
    phase,
    conditions: stampConditions(
      planConditions(pod, statuses, phase, hasSandbox),
      previous?.conditions ?? [],
      now,
      generation,
    ),
    ...(keepsReason && previous.reason && { reason: previous.reason }),
    ...(keepsReason && previous.message && { message: previous.message }),
    ...failure,
    ...(hostIps[0] !== undefined && { hostIP: hostIps[0], hostIPs: hostIps.map((ip) => ({ ip })) }),
    ...(ips[0] !== undefined
      ? { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) }
      : previous?.podIP && { podIP: previous.podIP, podIPs: previous.podIPs ?? [] }),
    startTime: previous?.startTime ?? now,
    ...(statuses.init.length > 0 && { initContainerStatuses: statuses.init }),
    containerStatuses: statuses.regular,
    ...(statuses.ephemeral.length > 0 && { ephemeralContainerStatuses: statuses.ephemeral }),
  }
}

type Statuses = {
  readonly init: readonly ContainerStatus[]
  readonly regular: readonly ContainerStatus[]
  readonly ephemeral: readonly ContainerStatus[]
}

function planContainerStatuses(input: StatusInput): Statuses {
  const { pod, previous, isTerminal } = input
  const before = (name: string, statuses: readonly ContainerStatus[] | undefined) =>
    statuses?.find((status) => status.name === name)
  const init = (pod.spec?.initContainers ?? []).map((container) =>
    planContainerStatus(container, 'init', before(container.name, previous?.initContainerStatuses), input),
  )
  const regular = (pod.spec?.containers ?? []).map((container) =>
    planContainerStatus(container, 'regular', before(container.name, previous?.containerStatuses), input),
  )
  const ephemeral = (pod.spec === undefined ? [] : ephemeralContainersOf(pod.spec)).map((container) =>
    planContainerStatus(container, 'ephemeral', before(container.name, previous?.ephemeralContainerStatuses), input),
  )
  if (!isTerminal) return { init, regular, ephemeral }
  const initialized = init.every(({ state }) => state?.terminated?.exitCode === 0)
  return { init, regular: initialized ? regular.map(ended) : regular, ephemeral }
}

/** No container of a pod that has ended is left without an end. */
function ended(status: ContainerStatus): ContainerStatus {
  if (status.state?.terminated) return status
  const message = 'The container could not be located when the pod was terminated'
  return {
    ...status,
    state: { terminated: { exitCode: 137, reason: 'ContainerStatusUnknown', message } },
    ready: false,
    started: false,
  }
}

/** A pod never leaves Succeeded or Failed, and one that has ended is one of the two. */
function settled(phase: Phase, previous: PodStatus | undefined, pod: Pod, isTerminal: boolean): Phase {
  for (const before of [pod.status?.phase, previous?.phase])
    if (before === 'Succeeded' || before === 'Failed') return before
  return isTerminal && phase !== 'Succeeded' ? 'Failed' : phase
}
