// Which log a request means: a pure choice among what the runtime has of the pod, with kubelet's refusals.

import type { Pod, PodStatus } from '#api/core.ts'
import { allContainersOf } from '#node/pod/containers.ts'
import { newestOf, type PodView } from '#node/pod/view.ts'
import type { ContainerStatus } from '#node/runtime.ts'

export type LogTarget =
  | { readonly kind: 'log'; readonly container: ContainerStatus }
  | { readonly kind: 'refused'; readonly httpStatus: 400 | 404; readonly message: string }

const refused = (httpStatus: 400 | 404, message: string): LogTarget => ({ kind: 'refused', httpStatus, message })

export function findLog(
  pod: Pod,
  status: PodStatus | undefined,
  view: PodView,
  container: string,
  previous: boolean,
): LogTarget {
  const name = pod.metadata?.name ?? ''
  const known = pod.spec === undefined ? [] : allContainersOf(pod.spec)
  if (!known.some((one) => one.name === container))
    return refused(404, `container ${JSON.stringify(container)} not found in pod ${JSON.stringify(name)}`)
  const which = `container ${JSON.stringify(container)} in pod ${JSON.stringify(name)}`
  const newest = newestOf(view, container)
  if (previous) {
    const ended = view.containers.filter((one) => one.metadata.name === container && one.state === 'exited')
    // While the newest has ended itself, it is the one that a client looks back at.
    const last = ended.find(({ id }) => id !== newest?.id) ?? (newest?.state === 'exited' ? newest : undefined)
    return last ? { kind: 'log', container: last } : refused(400, `previous terminated ${which} not found`)
  }
  if (newest !== undefined && newest.state !== 'created') return { kind: 'log', container: newest }
  const { initContainerStatuses = [], containerStatuses = [], ephemeralContainerStatuses = [] } = status ?? {}
  const shown = [...initContainerStatuses, ...containerStatuses, ...ephemeralContainerStatuses]
  const reason = shown.find((one) => one.name === container)?.state?.waiting?.reason
  return refused(400, reason ? `${which} is waiting to start: ${reason}` : `${which} is not available`)
}
