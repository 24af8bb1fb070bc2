// effect: asks an API server
import type { Resource } from '#api/resource.ts'
import type { Client } from '#client/client.ts'
import { redact } from '#doctor/snapshot/redact.ts'
import { objectsFile, type SnapshotFile } from '#doctor/snapshot/snapshot.ts'

/** What a snapshot holds of the API: never Secrets. */
const kinds: Readonly<Record<string, readonly (readonly [plural: string, kind: string])[]>> = {
  v1: [
    ['nodes', 'Node'],
    ['namespaces', 'Namespace'],
    ['services', 'Service'],
    ['endpoints', 'Endpoints'],
    ['pods', 'Pod'],
    ['persistentvolumes', 'PersistentVolume'],
    ['persistentvolumeclaims', 'PersistentVolumeClaim'],
    ['events', 'Event'],
    ['configmaps', 'ConfigMap'],
  ],
  'discovery.k8s.io/v1': [['endpointslices', 'EndpointSlice']],
  'networking.k8s.io/v1': [
    ['networkpolicies', 'NetworkPolicy'],
    ['ingresses', 'Ingress'],
    ['ingressclasses', 'IngressClass'],
    ['servicecidrs', 'ServiceCIDR'],
  ],
  'storage.k8s.io/v1': [['storageclasses', 'StorageClass']],
  'apps/v1': [
    ['deployments', 'Deployment'],
    ['replicasets', 'ReplicaSet'],
    ['statefulsets', 'StatefulSet'],
    ['daemonsets', 'DaemonSet'],
  ],
}
/** ConfigMaps hold anything: only those that say how DNS and the proxy work are taken. */
const configMapNames = /^(coredns|kube-dns|kube-proxy)/

export type Collected = { readonly files: readonly SnapshotFile[]; readonly gaps: readonly string[] }

/** Lists of the cluster's objects. What the server does not have, or does not show to us, is a gap. */
export async function collectObjects(client: Client, signal?: AbortSignal): Promise<Collected> {
  const files: SnapshotFile[] = []
  const gaps: string[] = []
  const add = async (apiVersion: string, plural: string, kind: string) => {
    const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion]
    const resource: Resource = { group: group!, version: version!, plural, kind, namespaced: true }
    try {
      const namespace = plural === 'configmaps' ? { namespace: 'kube-system' } : {}
      const { items } = await client.list(resource, { ...namespace, signal })
      const kept = items.filter((item) => plural !== 'configmaps' || configMapNames.test(nameOf(item)))
      const text = JSON.stringify({ apiVersion, kind: `${kind}List`, items: kept.map(redact) })
      files.push({ file: objectsFile(plural), text: `${text}\n` })
    } catch (error) {
      signal?.throwIfAborted()
      gaps.push(`${plural}: ${(error as Error).message}`)
    }
  }
  await Promise.all(
    Object.entries(kinds).flatMap(([apiVersion, list]) => list.map(([plural, kind]) => add(apiVersion, plural, kind))),
  )
  return { files: files.toSorted((a, b) => (a.file < b.file ? -1 : 1)), gaps: gaps.toSorted() }
}

const nameOf = (item: unknown): string =>
  (item as { readonly metadata?: { readonly name?: string } }).metadata?.name ?? ''
