// What one node has to do for claims and volumes. Each node decides for itself: of what is made there, nobody else can
// take care.

import type { Node, PersistentVolume, PersistentVolumeClaim } from '#api/core.ts'
import type { StorageClass } from '#api/storage.ts'
import type { Stored } from '#api/stored.ts'
import { cleanupFinalizer, provisionedBy, selectedNode, storageProvisioner } from '#api/volume/marks.ts'
import { fnv32a } from '#lib/hash.ts'
import { hostnameLabel, provisionerName, volumeNameOf } from '#storage/marks.ts'
import { type ExpansionStep, planExpansion } from '#storage/expansion.ts'

export type Claim = Stored<PersistentVolumeClaim>
export type Volume = Stored<PersistentVolume>

export type ClaimStep =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'provision'; readonly storageClass: StorageClass }
  /** the claim asks for another size than it has, or has just got it */
  | { readonly kind: 'expand'; readonly volume: Volume; readonly step: ExpansionStep }

export type ClaimView = {
  /** the Node that this runs on */
  readonly node: string
  /** the nodes that have a provisioner, as far as is known */
  readonly nodes: readonly string[]
  storageClass(name: string): StorageClass | undefined
  volume(name: string): Volume | undefined
}

export function planClaim(claim: Claim, view: ClaimView): ClaimStep {
  const { metadata, spec } = claim
  if (metadata.deletionTimestamp !== undefined) return { kind: 'nothing' }
  const { annotations = {} } = metadata
  if (spec.volumeName) {
    const volume = view.volume(spec.volumeName)
    const isOurs = volume !== undefined && isOn(volume, view.node) && volume.spec.claimRef?.uid === metadata.uid
    const step = isOurs ? planExpansion(claim, volume) : 'nothing'
    return isOurs && step !== 'nothing' ? { kind: 'expand', volume, step } : { kind: 'nothing' }
  }
  // Made already: the binder has it.
  if (view.volume(volumeNameOf(metadata.uid)) !== undefined) return { kind: 'nothing' }
  if (annotations[storageProvisioner] !== provisionerName) return { kind: 'nothing' }
  const storageClass = view.storageClass(spec.storageClassName ?? '')
  if (storageClass?.provisioner !== provisionerName) return { kind: 'nothing' }
  const isDelayed = storageClass.volumeBindingMode === 'WaitForFirstConsumer'
  const chosen = isDelayed ? annotations[selectedNode] : pickNode(metadata.uid, view.nodes)
  return chosen === view.node ? { kind: 'provision', storageClass } : { kind: 'nothing' }
}

/** Of a class that does not wait for a pod: every node picks the same one. */
export function pickNode(claimUid: string, nodes: readonly string[]): string | undefined {
  return [...nodes].sort((a, b) => fnv32a(`${a}/${claimUid}`) - fnv32a(`${b}/${claimUid}`) || (a < b ? -1 : 1))[0]
}

/** `keep`: it must be there and mounted. `keep for good`: the same, and it is not ours to take away any more. */
export type VolumeStep = 'nothing' | 'keep' | 'keep for good' | 'delete'

export function planVolume({ metadata, spec, status }: Volume, node: string): VolumeStep {
  if (!isOn({ metadata, spec } as Volume, node)) return 'nothing'
  const isOver = status?.phase === 'Released' || status?.phase === 'Failed' || metadata.deletionTimestamp !== undefined
  const isDeleted = spec.persistentVolumeReclaimPolicy === 'Delete' && isOver && status?.phase !== 'Bound'
  if (isDeleted) return metadata.finalizers?.includes(cleanupFinalizer) ? 'delete' : 'nothing'
  const isMarked = metadata.finalizers?.includes(cleanupFinalizer) ?? false
  return isMarked && spec.persistentVolumeReclaimPolicy !== 'Delete' ? 'keep for good' : 'keep'
}

/** Made by us, on this node. */
export function isOn({ metadata, spec }: Volume, node: string): boolean {
  if (metadata.annotations?.[provisionedBy] !== provisionerName) return false
  const terms = spec.nodeAffinity?.required?.nodeSelectorTerms ?? []
  return terms.some(({ matchExpressions = [] }) =>
    matchExpressions.some(({ key, values }) => key === hostnameLabel && values?.length === 1 && values[0] === node),
  )
}

/** The object that says what was made; the binder gives it to the claim. */
export function planVolumeObject(
  claim: Claim,
  storageClass: StorageClass,
  { hostname, path }: { readonly hostname: string; readonly path: string },
): PersistentVolume {
  const { name, namespace, uid } = claim.metadata
  const { spec } = claim
  const { reclaimPolicy = 'Delete' } = storageClass
  return {
    metadata: {
      name: volumeNameOf(uid),
      annotations: { [provisionedBy]: provisionerName },
      ...(reclaimPolicy === 'Delete' && { finalizers: [cleanupFinalizer] }),
    },
    spec: {
      capacity: { storage: spec.resources?.requests?.['storage'] ?? '0' },
      accessModes: spec.accessModes ?? [],
      claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', name, namespace, uid },
      persistentVolumeReclaimPolicy: reclaimPolicy,
      storageClassName: storageClass.metadata?.name ?? '',
      volumeMode: 'Filesystem',
      local: { path },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: hostnameLabel, operator: 'In', values: [hostname] }] }],
        },
      },
    },
  }
}

/** What `kubernetes.io/hostname` says of a node, by which volumes name it. */
export const hostnameOf = ({ metadata }: Stored<Node>): string => metadata.labels?.[hostnameLabel] ?? metadata.name
