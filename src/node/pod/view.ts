// What the runtime knows of one pod, in the order in which it is asked: the newest first.

import type { Pod } from '#api/core.ts'
import type { ContainerStatus, Sandbox } from '#node/runtime.ts'

export type PodView = {
  readonly sandboxes: readonly Sandbox[]
  readonly containers: readonly ContainerStatus[]
}

/** Which pod a container or sandbox belongs to: the label that every one of them carries. */
export const uidLabel = 'io.kubernetes.pod.uid'

/** Picks one pod's sandboxes and containers out of all. */
export function viewPod(uid: string, sandboxes: readonly Sandbox[], containers: readonly ContainerStatus[]): PodView {
  const ofPod = (one: Sandbox | ContainerStatus) => one.labels[uidLabel] === uid
  return {
    sandboxes: sandboxes
      .filter(ofPod)
      .sort((a, b) => b.createdAt - a.createdAt || b.metadata.attempt - a.metadata.attempt),
    containers: containers
      .filter(ofPod)
      .sort((a, b) => b.createdAt - a.createdAt || b.metadata.attempt - a.metadata.attempt),
  }
}

export const newestOf = (view: PodView, name: string): ContainerStatus | undefined =>
  view.containers.find((container) => container.metadata.name === name)

export const isRunning = (container: ContainerStatus): boolean => container.state === 'running'

/** The pod's addresses: those of its newest sandbox, or the node's for a pod on the host's network. */
export function podIpsOf(pod: Pod, view: PodView, hostIps: readonly string[]): readonly string[] {
  const sandbox = view.sandboxes[0]
  if (sandbox === undefined) return []
  return pod.spec?.hostNetwork ? hostIps : sandbox.ips
}

/** A regular container exists, so that all init containers have done their work before. */
export const hasCreatedContainer = (pod: Pod, view: PodView): boolean =>
  (pod.spec?.containers ?? []).some(({ name }) => {
    const newest = newestOf(view, name)
    return newest !== undefined && newest.state !== 'unknown'
  })
