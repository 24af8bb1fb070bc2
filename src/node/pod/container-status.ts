// The status of one container as the API shows it, from what the runtime has of it, what its probes say and what was
// published before. A container that the runtime no longer knows keeps what was last said of it.

import type { Container, ContainerState, ContainerStatus as ApiStatus, Pod } from '#api/core.ts'
import { formatTime } from '#api/time.ts'
import type { ProbeVerdict } from '#node/pod/fault.ts'
import { isSidecar, shouldStart } from '#node/pod/restart.ts'
import type { PodView } from '#node/pod/view.ts'
import type { ContainerStatus } from '#node/runtime.ts'

/** in which of the pod's lists it stands */
export type ContainerKind = 'init' | 'regular' | 'ephemeral'

export type Waiting = { readonly reason: string; readonly message: string }

export type ContainerStatusInput = {
  readonly pod: Pod
  readonly view: PodView
  /** before the :// of container ids */
  readonly runtimeName: string
  readonly verdict: ProbeVerdict
  /** why a container that shall start does not, as far as is known */
  readonly waiting: (container: string) => Waiting | undefined
}

const unlocated = { exitCode: 137, reason: 'ContainerStatusUnknown' } as const

/** The status of one container. */
export function planContainerStatus(
  container: Container,
  kind: ContainerKind,
  previous: ApiStatus | undefined,
  input: ContainerStatusInput,
): ApiStatus {
  const [newest, older] = input.view.containers.filter((one) => one.metadata.name === container.name)
  const base = baseStatus(container, previous, newest, input)
  const state = stateOf(container, kind, previous, newest, input)
  const lastState = lastStateOf(previous, newest, older, input.runtimeName)
  const status: ApiStatus = { ...base, state, ...(lastState && { lastState }) }
  const withReason = overrideWithWaiting(status, container, kind, newest, input)
  return { ...withReason, ...readinessOf(container, kind, withReason, previous, input.verdict) }
}

function baseStatus(
  container: Container,
  previous: ApiStatus | undefined,
  newest: ContainerStatus | undefined,
  { runtimeName, pod }: ContainerStatusInput,
): ApiStatus {
  const lost = newest === undefined && previous?.state?.running !== undefined && !isDeleted(pod)
  return {
    name: container.name,
    image: newest?.image ?? container.image ?? '',
    imageID: newest?.imageRef ?? previous?.imageID ?? '',
    ready: false,
    restartCount: newest?.metadata.attempt ?? (previous?.restartCount ?? 0) + (lost ? 1 : 0),
    ...(newest
      ? { containerID: `${runtimeName}://${newest.id}` }
      : previous?.containerID && { containerID: previous.containerID }),
    ...(container.resources && { resources: container.resources }),
    ...(container.volumeMounts?.length && {
      volumeMounts: container.volumeMounts.map((mount) => ({
        name: mount.name,
        mountPath: mount.mountPath,
        ...(mount.readOnly && { readOnly: true, recursiveReadOnly: 'Disabled' }),
      })),
    }),
  }
}

const isDeleted = (pod: Pod) => pod.metadata?.deletionTimestamp !== undefined

function stateOf(
  container: Container,
  kind: ContainerKind,
  previous: ApiStatus | undefined,
  newest: ContainerStatus | undefined,
  { pod, view, runtimeName }: ContainerStatusInput,
): ContainerState {
  const hasInit = (pod.spec?.initContainers ?? []).length > 0
  const pending = { waiting: { reason: hasInit ? 'PodInitializing' : 'ContainerCreating' } }
  if (newest === undefined) {
    if (previous?.state?.terminated) return previous.state
    const isPast = kind === 'init' && !isSidecar(container) && view.containers.some((one) => isRegular(pod, one))
    if (!isPast) return pending
    const message =
      'Unable to get init container status from container runtime and pod has been initialized, treat it as exited normally'
    return { terminated: { exitCode: 0, reason: 'Completed', message } }
  }
  switch (newest.state) {
    case 'running':
      return { running: { startedAt: formatTime(newest.startedAt ?? newest.createdAt) } }
    case 'exited':
      return { terminated: terminated(newest, runtimeName) }
    case 'created':
      return pending
    case 'unknown':
      if (!previous?.state?.running) return pending
      return { terminated: { ...unlocated, message: 'The container could not be located when the pod was terminated' } }
  }
}

const isRegular = (pod: Pod, { metadata }: ContainerStatus) =>
  (pod.spec?.containers ?? []).some(({ name }) => name === metadata.name)

function terminated(ended: ContainerStatus, runtimeName: string): NonNullable<ContainerState['terminated']> {
  return {
    exitCode: ended.exitCode ?? 0,
    ...(ended.reason && { reason: ended.reason }),
    ...(ended.message && { message: ended.message }),
    ...(ended.startedAt !== undefined && { startedAt: formatTime(ended.startedAt) }),
    ...(ended.finishedAt !== undefined && { finishedAt: formatTime(ended.finishedAt) }),
    containerID: `${runtimeName}://${ended.id}`,
  }
}

function lastStateOf(
  previous: ApiStatus | undefined,
  newest: ContainerStatus | undefined,
  older: ContainerStatus | undefined,
  runtimeName: string,
): ContainerState | undefined {
  if (older?.state === 'exited') return { terminated: terminated(older, runtimeName) }
  const isSame = newest !== undefined && previous?.containerID === `${runtimeName}://${newest.id}`
  if (newest !== undefined && !isSame && previous?.state?.terminated) return previous.state
  if (previous?.lastState?.terminated || newest !== undefined || !previous?.state?.running) return previous?.lastState
  const message = 'The container could not be located when the pod was deleted.  The container used to be Running'
  return { terminated: { ...unlocated, message } }
}

/** A container that shall run but cannot says why, and its end becomes its last state. */
function overrideWithWaiting(
  status: ApiStatus,
  container: Container,
  kind: ContainerKind,
  newest: ContainerStatus | undefined,
  { pod, waiting }: ContainerStatusInput,
): ApiStatus {
  if (kind === 'init' && newest?.state === 'exited' && newest.exitCode === 0 && !isSidecar(container)) return status
  const why = shouldStart(container, pod, newest) ? waiting(container.name) : undefined
  if (why === undefined) return status
  const lastState = status.state?.terminated ? status.state : status.lastState
  return { ...status, state: { waiting: why }, ...(lastState && { lastState }) }
}

/**
 * While no probe has spoken (the agent has just started), what was last published of the very same instance holds, so
 * that a restart of the agent takes no pod out of its Services.
 */
function readinessOf(
  container: Container,
  kind: ContainerKind,
  status: ApiStatus,
  previous: ApiStatus | undefined,
  verdict: ProbeVerdict,
): Pick<ApiStatus, 'started' | 'ready'> {
  // Nothing is sent to it, and no probe asks it.
  if (kind === 'ephemeral') return { ready: false }
  const before = previous?.containerID === status.containerID ? previous : undefined
  const id = status.containerID?.split('://')[1] ?? ''
  const isUp = status.state?.running !== undefined
  const says = (probe: 'startup' | 'readiness', was: boolean | undefined) => {
    const said = verdict(id, probe)
    return said === undefined ? was === true : said === 'success'
  }
  const started = isUp && (container.startupProbe === undefined || says('startup', before?.started))
  if (kind === 'init' && !isSidecar(container)) return { started, ready: status.state?.terminated?.exitCode === 0 }
  return { started, ready: started && (container.readinessProbe === undefined || says('readiness', before?.ready)) }
}
