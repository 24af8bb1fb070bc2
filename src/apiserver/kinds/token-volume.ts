// The volume by which a pod's containers speak to the API server as the pod's service account: a token that the node
// renews, the cluster's authority, the namespace (Kubernetes' admission plug-in ServiceAccount).

import type { Container, PodSpec, ServiceAccount, Volume } from '#api/core.ts'

const mountPath = '/var/run/secrets/kubernetes.io/serviceaccount'
const namePrefix = 'kube-api-access-'
const letters = 'bcdfghjklmnpqrstvwxz2456789'

const sources: NonNullable<NonNullable<Volume['projected']>['sources']> = [
  { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
  { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
  { downwardAPI: { items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }] } },
]

/** The spec with the volume, in each container that mounts nothing of its own there; unless pod or account say no. */
export function withTokenVolume(
  spec: PodSpec,
  account: ServiceAccount | undefined,
  random: (below: number) => number,
): PodSpec {
  if (!(spec.automountServiceAccountToken ?? account?.automountServiceAccountToken ?? true)) return spec
  const all = [...(spec.initContainers ?? []), ...spec.containers]
  if (all.every(hasOwn)) return spec
  const known = spec.volumes?.find((volume) => volume.name.startsWith(namePrefix) && volume.projected)
  const name =
    known?.name ?? `${namePrefix}${Array.from({ length: 5 }, () => letters[random(letters.length)]).join('')}`
  const withMount = (container: Container): Container =>
    hasOwn(container)
      ? container
      : { ...container, volumeMounts: [...(container.volumeMounts ?? []), { name, readOnly: true, mountPath }] }
  return {
    ...spec,
    ...(spec.initContainers && { initContainers: spec.initContainers.map(withMount) }),
    containers: spec.containers.map(withMount),
    volumes: known
      ? (spec.volumes ?? [])
      : [...(spec.volumes ?? []), { name, projected: { defaultMode: 0o644, sources } }],
  }
}

const hasOwn = ({ volumeMounts = [] }: Container) => volumeMounts.some((mount) => mount.mountPath === mountPath)
