// The storage group: StorageClasses and CSI.

import { type Resource } from '#api/resource.ts'
import type { Typed } from '#api/schema/schema.ts'

export interface StorageClass extends Typed<'storage', 'StorageClass'> {}
export interface CSIDriver extends Typed<'storage', 'CSIDriver'> {}
export interface CSIStorageCapacity extends Typed<'storage', 'CSIStorageCapacity'> {}
export interface VolumeAttachment extends Typed<'storage', 'VolumeAttachment'> {}
export interface VolumeAttributesClass extends Typed<'storage', 'VolumeAttributesClass'> {}
export interface CSINode extends Typed<'storage', 'CSINode'> {}

export const storageClasses: Resource<StorageClass> = {
  group: 'storage.k8s.io',
  version: 'v1',
  plural: 'storageclasses',
  kind: 'StorageClass',
  namespaced: false,
}
export const csiDrivers: Resource<CSIDriver> = {
  group: 'storage.k8s.io',
  version: 'v1',
  plural: 'csidrivers',
  kind: 'CSIDriver',
  namespaced: false,
}
export const csiNodes: Resource<CSINode> = {
  group: 'storage.k8s.io',
  version: 'v1',
  plural: 'csinodes',
  kind: 'CSINode',
  namespaced: false,
}
export const csiStorageCapacities: Resource<CSIStorageCapacity> = {
  group: 'storage.k8s.io',
  version: 'v1',
  plural: 'csistoragecapacities',
  kind: 'CSIStorageCapacity',
  namespaced: true,
}
export const volumeAttachments: Resource<VolumeAttachment> = {
  group: 'storage.k8s.io',
  version: 'v1',
  plural: 'volumeattachments',
  kind: 'VolumeAttachment',
  namespaced: false,
}
export const volumeAttributesClasses: Resource<VolumeAttributesClass> = {
  group: 'storage.k8s.io',
  version: 'v1',
  plural: 'volumeattributesclasses',
  kind: 'VolumeAttributesClass',
  namespaced: false,
}
