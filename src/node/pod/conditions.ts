// The conditions of a pod that the node owns, with Kubernetes' reasons and texts.

import type { Container, ContainerStatus, Pod, PodCondition } from '#api/core.ts'
import type { Phase } from '#node/pod/phase.ts'
import { isSidecar } from '#node/pod/restart.ts'

type Verdict = { readonly status: 'True' | 'False'; readonly reason?: string; readonly message?: string }
type Statuses = { readonly init: readonly ContainerStatus[]; readonly regular: readonly ContainerStatus[] }

const yes: Verdict = { status: 'True' }
const no = (reason: string, message?: string): Verdict => ({ status: 'False', reason, ...(message && { message }) })
const list = (names: readonly string[]) => `[${names.join(' ')}]`

/** What each condition of the node says, in the order in which they are published. */
export function planConditions(
  pod: Pod,
  statuses: Statuses,
  phase: Phase,
  hasSandbox: boolean,
): Readonly<Record<string, Verdict>> {
  const containersReady = planContainersReady(pod, statuses, phase)
  return {
    PodReadyToStartContainers: hasSandbox ? yes : { status: 'False' },
    Initialized: planInitialized(pod, statuses, phase),
    Ready: planReady(pod, containersReady),
    ContainersReady: containersReady,
    PodScheduled: yes,
  }
}

function planContainersReady(pod: Pod, { init, regular }: Statuses, phase: Phase): Verdict {
  if (phase === 'Failed') return no('PodFailed')
  const counted = [...(pod.spec?.initContainers ?? []).filter(isSidecar), ...(pod.spec?.containers ?? [])]
  const { unknown, rest } = sortOut(counted, [...init, ...regular], (_container, status) => status.ready)
  if (phase === 'Succeeded' && unknown.length === 0) return no('PodCompleted')
  const message = [
    ...(unknown.length > 0 ? [`containers with unknown status: ${list(unknown)}`] : []),
    ...(rest.length > 0 ? [`containers with unready status: ${list(rest)}`] : []),
  ].join(', ')
  return message === '' ? yes : no('ContainersNotReady', message)
}

function planInitialized(pod: Pod, { init, regular }: Statuses, phase: Phase): Verdict {
  const isDone = (container: Container, status: ContainerStatus) =>
    isSidecar(container) ? status.started === true : status.ready
  const { unknown, rest } = sortOut(pod.spec?.initContainers ?? [], init, isDone)
  if (phase === 'Succeeded' && unknown.length === 0) return { status: 'True', reason: 'PodCompleted' }
  const hasStarted = regular.some(
    ({ state, lastState, started }) => started || !!state?.running || !!state?.terminated || !!lastState?.terminated,
  )
  const message = [
    ...(unknown.length > 0 ? [`containers with unknown status: ${list(unknown)}`] : []),
    ...(rest.length > 0 ? [`containers with incomplete status: ${list(rest)}`] : []),
  ].join(', ')
  return hasStarted || message === '' ? yes : no('ContainersNotInitialized', message)
}

function planReady(pod: Pod, containersReady: Verdict): Verdict {
  if (containersReady.status !== 'True') return containersReady
  const texts = (pod.spec?.readinessGates ?? []).flatMap(({ conditionType }) => {
    const found = pod.status?.conditions?.find(({ type }) => type === conditionType)
    if (!found) return [`corresponding condition of pod readiness gate "${conditionType}" does not exist.`]
    return found.status === 'True'
      ? []
      : [`the status of pod readiness gate "${conditionType}" is not "True", but ${found.status}`]
  })
  return texts.length === 0 ? yes : no('ReadinessGatesNotReady', texts.join(', '))
}

function sortOut(
  containers: readonly Container[],
  statuses: readonly ContainerStatus[],
  isFine: (container: Container, status: ContainerStatus) => boolean,
) {
  const unknown: string[] = []
  const rest: string[] = []
  for (const container of containers) {
    const status = statuses.find(({ name }) => name === container.name)
    if (status === undefined) unknown.push(container.name)
    else if (!isFine(container, status)) rest.push(container.name)
  }
  return { unknown, rest }
}

/** Conditions as they are stored: a condition keeps the time of its last change while its status stays. */
export function stampConditions(
  planned: Readonly<Record<string, Verdict>>,
  previous: readonly PodCondition[],
  now: string,
  generation: number | undefined,
): PodCondition[] {
  return Object.entries(planned).map(([type, verdict]) => {
    const before = previous.find((condition) => condition.type === type)
    const lastTransitionTime = before?.status === verdict.status ? (before.lastTransitionTime ?? now) : now
    return { type, ...verdict, lastTransitionTime, ...(generation !== undefined && { observedGeneration: generation }) }
  })
}
