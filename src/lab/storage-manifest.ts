// The StorageClass of claims that name none: volumes on the nodes' own disks, made where the first pod goes.
import type { Manifest } from '#lab/manifest.ts'

export const storageManifests: readonly Manifest[] = [
  {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name: 'standard', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
    provisioner: 'fairway/local',
    volumeBindingMode: 'WaitForFirstConsumer',
    reclaimPolicy: 'Delete',
    allowVolumeExpansion: true,
  },
].map((object) => ({ object, place: 'the cluster’s storage' }))
