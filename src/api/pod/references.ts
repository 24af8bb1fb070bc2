// What of the API a pod is made from: the Secrets, ConfigMaps and claims that its containers and volumes name
// (pkg/api/v1/pod/util.go).

import type { Pod } from '#api/core.ts'

export type PodReferences = {
  readonly secrets: ReadonlySet<string>
  readonly configMaps: ReadonlySet<string>
  readonly claims: ReadonlySet<string>
}

type Named = string | undefined

/** Names in the pod's namespace. */
export function podReferences({ metadata, spec }: Pod): PodReferences {
  const configMaps: Named[] = []
  const claims: Named[] = []
  const secrets: Named[] = (spec?.imagePullSecrets ?? []).map(({ name }) => name)
  const containers = [
    ...(spec?.initContainers ?? []),
    ...(spec?.containers ?? []),
    ...(spec?.ephemeralContainers ?? []),
  ]
  for (const { env = [], envFrom = [] } of containers) {
    secrets.push(...envFrom.map(({ secretRef }) => secretRef?.name))
    configMaps.push(...envFrom.map(({ configMapRef }) => configMapRef?.name))
    secrets.push(...env.map(({ valueFrom }) => valueFrom?.secretKeyRef?.name))
    configMaps.push(...env.map(({ valueFrom }) => valueFrom?.configMapKeyRef?.name))
  }
  for (const volume of spec?.volumes ?? []) {
    const { azureFile, cephfs, cinder, flexVolume, rbd, scaleIO, iscsi, storageos, csi } = volume
    const sources = volume.projected?.sources ?? []
    secrets.push(volume.secret?.secretName, azureFile?.secretName, csi?.nodePublishSecretRef?.name)
    secrets.push(...sources.map(({ secret }) => secret?.name))
    secrets.push(
      ...[cephfs, cinder, flexVolume, rbd, scaleIO, iscsi, storageos].map((source) => source?.secretRef?.name),
    )
    configMaps.push(volume.configMap?.name, ...sources.map(({ configMap }) => configMap?.name))
    claims.push(volume.persistentVolumeClaim?.claimName)
    if (volume.ephemeral !== undefined) claims.push(`${metadata?.name}-${volume.name}`)
  }
  return { secrets: named(secrets), configMaps: named(configMaps), claims: named(claims) }
}

const named = (names: readonly Named[]): ReadonlySet<string> => new Set(names.flatMap((name) => name || []))

/** Which sort of other object the pod depends on, as NodeRestriction says it; undefined: on none. */
export function apiReference(pod: Pod): string | undefined {
  const { secrets, configMaps } = podReferences(pod)
  if (pod.spec?.serviceAccountName) return 'serviceaccounts'
  if (secrets.size > 0) return 'secrets'
  if (configMaps.size > 0) return 'configmaps'
  if (pod.spec?.resourceClaims?.length) return 'resourceclaims'
  for (const { configMap, secret, csi, glusterfs, persistentVolumeClaim, ephemeral, azureFile, projected } of pod.spec
    ?.volumes ?? []) {
    if (configMap !== undefined) return 'configmaps (via configmap volumes)'
    if (secret !== undefined) return 'secrets (via secret volumes)'
    if (csi !== undefined) return 'csidrivers (via CSI volumes)'
    if (glusterfs !== undefined) return 'endpoints (via glusterFS volumes)'
    if (persistentVolumeClaim !== undefined) return 'persistentvolumeclaims'
    if (ephemeral !== undefined) return 'persistentvolumeclaims (via ephemeral volumes)'
    if (azureFile !== undefined) return 'secrets (via azureFile volumes)'
    for (const source of projected?.sources ?? []) {
      if (source.configMap !== undefined) return 'configmaps (via projected volumes)'
      if (source.secret !== undefined) return 'secrets (via projected volumes)'
      if (source.serviceAccountToken !== undefined) return 'serviceaccounts (via projected volumes)'
      if (source.clusterTrustBundle !== undefined) return 'clustertrustbundles'
    }
  }
  return undefined
}
