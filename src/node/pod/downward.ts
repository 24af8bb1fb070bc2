// The downward API: what a pod may know of itself, by field path. Labels and annotations as a whole are sorted lines of
// key="escaped value".

import type { Pod } from '#api/core.ts'
import { compareText } from '#lib/sort.ts'

/** What the agent knows of a pod beyond its object; addresses in the order of the node's families. */
export type PodFacts = {
  readonly podIps: readonly string[]
  readonly hostIps: readonly string[]
}

/** The value of a field, or undefined where the path is none that pods can ask for. */
export function fieldValue(path: string, pod: Pod, facts: PodFacts): string | undefined {
  const { metadata, spec } = pod
  const indexed = /^metadata\.(labels|annotations)\['(.*)'\]$/.exec(path)
  if (indexed) return metadata?.[indexed[1] as 'labels' | 'annotations']?.[indexed[2]!] ?? ''
  switch (path) {
    case 'metadata.name':
      return metadata?.name ?? ''
    case 'metadata.namespace':
      return metadata?.namespace ?? ''
    case 'metadata.uid':
      return metadata?.uid ?? ''
    case 'metadata.labels':
      return formatMap(metadata?.labels)
    case 'metadata.annotations':
      return formatMap(metadata?.annotations)
    case 'spec.nodeName':
      return spec?.nodeName ?? ''
    case 'spec.serviceAccountName':
      return spec?.serviceAccountName ?? ''
    case 'spec.restartPolicy':
      return spec?.restartPolicy ?? ''
    case 'status.hostIP':
      return facts.hostIps[0] ?? ''
    case 'status.hostIPs':
      return facts.hostIps.join(',')
    case 'status.podIP':
      return facts.podIps[0] ?? ''
    case 'status.podIPs':
      return facts.podIps.join(',')
    default:
      return undefined
  }
}

const formatMap = (map: Readonly<Record<string, string>> = {}) =>
  Object.keys(map)
    .sort(compareText)
    .map((key) => `${key}=${JSON.stringify(map[key])}`)
    .join('\n')
