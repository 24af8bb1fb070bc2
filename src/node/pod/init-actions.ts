// Which init containers to start or kill next. Seen from the last one backwards: the newest one that exists says how far
// the pod has come, even where the runtime has forgotten the ones before it.

import type { Container, Pod } from '#api/core.ts'
import { faultOf, type Kill, type ProbeVerdict } from '#node/pod/fault.ts'
import { isSidecar, restartsAfter } from '#node/pod/restart.ts'
import { newestOf, type PodView } from '#node/pod/view.ts'

export type InitPlan = {
  /** regular containers may run */
  readonly done: boolean
  /** one has failed for good, and the pod with it */
  readonly failed: boolean
  readonly start: readonly Container[]
  readonly kill: readonly Kill[]
}

/** What one existing init container asks for. */
type Step =
  | { readonly kind: 'wait' }
  | { readonly kind: 'again'; readonly kill?: Kill }
  | { readonly kind: 'done'; readonly kill?: Kill }
  | { readonly kind: 'failed' }

export function planInit(pod: Pod, view: PodView, verdict: ProbeVerdict): InitPlan {
  const containers = pod.spec?.initContainers ?? []
  if (containers.length === 0) return { done: true, failed: false, start: [], kill: [] }
  const before = hasInitialized(pod, view)
  const start: Container[] = []
  const kill: Kill[] = []
  let done = before
  let found = false
  for (const [index, container] of [...containers.entries()].reverse()) {
    const sidecar = isSidecar(container)
    const newest = newestOf(view, container.name)
    // Once the pod has come past it, a regular one is no more of interest; nor is what stands before the newest one.
    if (!sidecar && (before || found)) continue
    if (newest === undefined) {
      if (sidecar && (before || found)) start.push(container)
      continue
    }
    const step = stepOf(container, pod, view, verdict)
    const isFirstFound = !found
    found = true
    if (step.kind === 'failed') return { done: false, failed: true, start: [], kill: [] }
    if ('kill' in step && step.kill) kill.push(step.kill)
    if (step.kind === 'again') start.push(container)
    if (step.kind === 'done' && step.kill) start.push(container)
    if (step.kind !== 'done' || !isFirstFound || before) continue
    const next = containers[index + 1]
    if (next === undefined) done = true
    else start.push(next)
  }
  if (!found && !before) return { done: false, failed: false, start: containers.slice(0, 1), kill: [] }
  return { done, failed: false, start: start.reverse(), kill }
}

/** A regular container lives: all init containers have been done with. Ended ones may be of a sandbox before this. */
const hasInitialized = (pod: Pod, view: PodView) =>
  (pod.spec?.containers ?? []).some(({ name }) => ['created', 'running'].includes(newestOf(view, name)?.state ?? ''))

function stepOf(container: Container, pod: Pod, view: PodView, verdict: ProbeVerdict): Step {
  const newest = newestOf(view, container.name)!
  const sidecar = isSidecar(container)
  switch (newest.state) {
    case 'created':
      return { kind: 'again' }
    case 'running': {
      if (!sidecar) return { kind: 'wait' }
      const fault = faultOf(container, newest, verdict)
      const kill = fault && { id: newest.id, name: container.name, ...fault }
      if (fault?.reason === 'startupProbe') return { kind: 'again', kill: kill! }
      if (container.startupProbe && verdict(newest.id, 'startup') !== 'success') return { kind: 'wait' }
      return kill ? { kind: 'done', kill } : { kind: 'done' }
    }
    case 'exited':
      if (sidecar) return { kind: 'again' }
      if (newest.exitCode === 0) return { kind: 'done' }
      return restartsAfter(container, pod, newest.exitCode ?? 1) ? { kind: 'again' } : { kind: 'failed' }
    case 'unknown': {
      const message = 'Init container is in "unknown" state, try killing it before restart'
      const policy = container.restartPolicy ?? pod.spec?.restartPolicy
      if (!sidecar && policy === 'Never') return { kind: 'failed' }
      return { kind: 'again', kill: { id: newest.id, name: container.name, message, reason: 'other' } }
    }
  }
}
