// The containers of a pod, whichever list of its spec they stand in.

import type { Container, PodSpec } from '#api/core.ts'

/** Those that were added while it runs (`kubectl debug`): each is started once, and never again. */
export const ephemeralContainersOf = ({ ephemeralContainers = [] }: PodSpec): readonly Container[] =>
  ephemeralContainers.map((container) => ({ ...container, restartPolicy: 'Never' }))

export const allContainersOf = (spec: PodSpec): readonly Container[] => [
  ...(spec.initContainers ?? []),
  ...spec.containers,
  ...ephemeralContainersOf(spec),
]

/** In which list of the spec a container stands, as events name it. */
export function listOf({ initContainers = [], ephemeralContainers = [] }: PodSpec, name: string): string {
  if (initContainers.some((container) => container.name === name)) return 'initContainers'
  return ephemeralContainers.some((container) => container.name === name) ? 'ephemeralContainers' : 'containers'
}
