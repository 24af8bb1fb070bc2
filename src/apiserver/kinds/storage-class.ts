// StorageClasses, VolumeAttributesClasses, and what CSI drivers say of themselves.

import type { Kind } from '#apiserver/kind.ts'
import { age, ageColumn, boolean, integer, nameColumn, nameOf, text } from '#apiserver/kinds/cells.ts'
import { isDefaultClass } from '#api/default-class.ts'
import {
  type CSIDriver,
  csiDrivers,
  type CSINode,
  csiNodes,
  type StorageClass,
  storageClasses,
  type VolumeAttributesClass,
  volumeAttributesClasses,
} from '#api/storage.ts'
import {
  defaultCsiDriver,
  defaultStorageClass,
  validateCsiDriver,
  validateCsiNode,
  validateStorageClass,
  validateVolumeAttributesClass,
} from '#api/volume/storage-class.ts'

export const storageClassKind: Kind<StorageClass> = {
  resource: storageClasses,
  type: 'storage.StorageClass',
  singular: 'storageclass',
  shortNames: ['sc'],
  columns: [
    nameColumn,
    text('Provisioner'),
    text('ReclaimPolicy'),
    text('VolumeBindingMode'),
    text('AllowVolumeExpansion'),
    ageColumn,
  ],
  row: (storageClass, nowMs) => [
    isDefaultClass(storageClass) ? `${nameOf(storageClass)} (default)` : nameOf(storageClass),
    storageClass.provisioner,
    storageClass.reclaimPolicy ?? 'Delete',
    storageClass.volumeBindingMode ?? 'Immediate',
    storageClass.allowVolumeExpansion ?? false,
    age(storageClass, nowMs),
  ],
  default: defaultStorageClass,
  validate: validateStorageClass,
  answersDeleted: true,
}

export const volumeAttributesClassKind: Kind<VolumeAttributesClass> = {
  resource: volumeAttributesClasses,
  type: 'storage.VolumeAttributesClass',
  singular: 'volumeattributesclass',
  shortNames: ['vac'],
  columns: [nameColumn, text('DriverName'), ageColumn],
  row: (attributesClass, nowMs) => [nameOf(attributesClass), attributesClass.driverName, age(attributesClass, nowMs)],
  validate: validateVolumeAttributesClass,
  answersDeleted: true,
}

export const csiDriverKind: Kind<CSIDriver> = {
  resource: csiDrivers,
  type: 'storage.CSIDriver',
  singular: 'csidriver',
  columns: [
    nameColumn,
    boolean('AttachRequired'),
    boolean('PodInfoOnMount'),
    boolean('StorageCapacity'),
    text('TokenRequests'),
    boolean('RequiresRepublish'),
    text('Modes'),
    ageColumn,
  ],
  row: (driver, nowMs) => [
    nameOf(driver),
    driver.spec?.attachRequired ?? true,
    driver.spec?.podInfoOnMount ?? false,
    driver.spec?.storageCapacity ?? false,
    driver.spec?.tokenRequests?.map(({ audience }) => audience).join(',') ?? '<unset>',
    driver.spec?.requiresRepublish ?? false,
    driver.spec?.volumeLifecycleModes?.join(',') || '<none>',
    age(driver, nowMs),
  ],
  default: defaultCsiDriver,
  validate: validateCsiDriver,
  unconditionalUpdate: false,
  answersDeleted: true,
}

export const csiNodeKind: Kind<CSINode> = {
  resource: csiNodes,
  type: 'storage.CSINode',
  singular: 'csinode',
  columns: [nameColumn, integer('Drivers'), ageColumn],
  row: (node, nowMs) => [nameOf(node), node.spec?.drivers?.length ?? 0, age(node, nowMs)],
  validate: validateCsiNode,
  unconditionalUpdate: false,
  answersDeleted: true,
}
