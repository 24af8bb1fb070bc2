// The phase of a pod, from the states of its containers.

import type { ContainerStatus, Pod } from '#api/core.ts'
import { isSidecar, restartsAfter } from '#node/pod/restart.ts'

export type Phase = 'Pending' | 'Running' | 'Succeeded' | 'Failed'

/** `isTerminal`: nothing of the pod will run again, whatever its restart policy says. */
export function phaseOf(
  pod: Pod,
  statuses: { readonly init: readonly ContainerStatus[]; readonly regular: readonly ContainerStatus[] },
  isTerminal: boolean,
): Phase {
  const hasStarted = statuses.regular.some(({ state, lastState }) => !!state?.running || !!lastState?.terminated)
  const init = countInit(pod, statuses.init)
  if (init.failed) return 'Failed'
  const own = countRegular(pod, statuses.regular)
  const running = own.running + init.runningSidecars
  if (init.pending || (init.pendingSidecars && !hasStarted) || own.waiting > 0) return 'Pending'
  if (running > 0 && own.unknown === 0) return 'Running'
  if (own.stopped === 0 || own.unknown > 0) return 'Pending'
  if (own.restarting > 0 && !isTerminal) return 'Running'
  return own.stopped === own.succeeded ? 'Succeeded' : 'Failed'
}

function countInit(pod: Pod, statuses: readonly ContainerStatus[]) {
  const count = { pending: false, pendingSidecars: false, runningSidecars: 0, failed: false }
  for (const container of pod.spec?.initContainers ?? []) {
    const status = statuses.find(({ name }) => name === container.name)
    const { running, terminated } = status?.state ?? {}
    if (isSidecar(container)) {
      if (running) {
        count.runningSidecars++
        if (!status?.started) count.pendingSidecars = true
      } else if (!terminated && !status?.lastState?.terminated) count.pendingSidecars = true
      continue
    }
    const ended = terminated ?? (status?.state?.waiting ? status.lastState?.terminated : undefined)
    if (ended === undefined) count.pending = true
    else if (ended.exitCode !== 0 && !restartsAfter(container, pod, ended.exitCode)) count.failed = true
    else if (ended.exitCode !== 0) count.pending = true
  }
  return count
}

function countRegular(pod: Pod, statuses: readonly ContainerStatus[]) {
  const count = { running: 0, waiting: 0, stopped: 0, succeeded: 0, restarting: 0, unknown: 0 }
  for (const container of pod.spec?.containers ?? []) {
    const status = statuses.find(({ name }) => name === container.name)
    const ended = status?.state?.terminated ?? status?.lastState?.terminated
    if (status?.state?.running) count.running++
    else if ((status?.state?.terminated || status?.state?.waiting) && ended) {
      count.stopped++
      if (restartsAfter(container, pod, ended.exitCode)) count.restarting++
      if (status?.state?.terminated?.exitCode === 0) count.succeeded++
    } else if (status?.state?.waiting) count.waiting++
    else count.unknown++
  }
  return count
}
