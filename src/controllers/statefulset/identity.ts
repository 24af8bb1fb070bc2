// What makes a pod of a StatefulSet this pod and no other: its number, its name in DNS, its volumes.

import { type StatefulSet, statefulSets } from '#api/apps.ts'
import { type PersistentVolumeClaim, type Pod, type PodTemplateSpec, type Volume } from '#api/core.ts'
import type { Stored } from '#api/stored.ts'
import { podFromTemplate } from '#controllers/pod-from-template.ts'
import { revisionLabel } from '#controllers/revision-history.ts'

const nameLabel = 'statefulset.kubernetes.io/pod-name'
const indexLabel = 'apps.kubernetes.io/pod-index'

export const startOf = (set: StatefulSet): number => set.spec?.ordinals?.start ?? 0
export const replicasOf = (set: StatefulSet): number => set.spec?.replicas ?? 1

/** The number at the end of a pod's name; undefined where there is none. */
export function ordinalOf(set: Stored<StatefulSet>, { metadata }: Pod): number | undefined {
  const { name = '' } = metadata ?? {}
  const rest = name.startsWith(`${set.metadata.name}-`) ? name.slice(set.metadata.name.length + 1) : ''
  return /^\d+$/.test(rest) ? Number(rest) : undefined
}

export function isInRange(set: Stored<StatefulSet>, ordinal: number): boolean {
  return ordinal >= startOf(set) && ordinal < startOf(set) + replicasOf(set)
}

/** Pod number `ordinal` of a revision. */
export function podOf(set: Stored<StatefulSet>, ordinal: number, template: PodTemplateSpec, revision: string): Pod {
  const name = `${set.metadata.name}-${ordinal}`
  const pod = podFromTemplate(statefulSets, set, template, name)
  const { serviceName } = set.spec
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      labels: { ...pod.metadata?.labels, ...identityLabels(name, ordinal), [revisionLabel]: revision },
    },
    spec: {
      ...pod.spec!,
      hostname: name,
      ...(serviceName ? { subdomain: serviceName } : {}),
      ...volumesOf(set, ordinal, pod.spec?.volumes ?? []),
    },
  }
}

export function identityLabels(name: string, ordinal: number): Readonly<Record<string, string>> {
  return { [nameLabel]: name, [indexLabel]: String(ordinal) }
}

/** Each claim template is a volume of its name; it goes before one of the template with that name. */
function volumesOf(set: Stored<StatefulSet>, ordinal: number, others: readonly Volume[]) {
  const claims = claimsOf(set, ordinal)
  if (claims.length + others.length === 0) return {}
  const volumes = claims.map(({ volume, claim }) => ({
    name: volume,
    persistentVolumeClaim: { claimName: claim.metadata?.name ?? '' },
  }))
  const names = new Set(volumes.map(({ name }) => name))
  return { volumes: [...volumes, ...others.filter(({ name }) => !names.has(name))] }
}

/** The claims of pod number `ordinal`. */
export function claimsOf(
  set: Stored<StatefulSet>,
  ordinal: number,
): readonly { readonly volume: string; readonly claim: PersistentVolumeClaim }[] {
  const { name, namespace } = set.metadata
  return (set.spec.volumeClaimTemplates ?? []).map((template) => {
    const volume = template.metadata?.name ?? ''
    const labels = { ...template.metadata?.labels, ...set.spec.selector.matchLabels }
    const { annotations } = template.metadata ?? {}
    return {
      volume,
      claim: {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { name: `${volume}-${name}-${ordinal}`, namespace, labels, ...(annotations && { annotations }) },
        ...(template.spec && { spec: template.spec }),
      },
    }
  })
}
