// VolumeAttachments, and how much room CSI drivers have where.

import type { Kind } from '#apiserver/kind.ts'
import { age, ageColumn, boolean, nameColumn, nameOf, text } from '#apiserver/kinds/cells.ts'
import {
  type CSIStorageCapacity,
  csiStorageCapacities,
  type VolumeAttachment,
  volumeAttachments,
} from '#api/storage.ts'
import { validateStorageCapacity, validateVolumeAttachment } from '#api/volume/attachment.ts'

export const volumeAttachmentKind: Kind<VolumeAttachment> = {
  resource: volumeAttachments,
  type: 'storage.VolumeAttachment',
  singular: 'volumeattachment',
  columns: [nameColumn, text('Attacher'), text('PV'), text('Node'), boolean('Attached'), ageColumn],
  row: (attachment, nowMs) => [
    nameOf(attachment),
    attachment.spec.attacher,
    attachment.spec.source.persistentVolumeName ?? '',
    attachment.spec.nodeName,
    attachment.status?.attached ?? false,
    age(attachment, nowMs),
  ],
  prepareCreate: (attachment) => ({ ...attachment, status: { attached: false } }),
  prepareUpdate: (attachment, old) => ({ ...attachment, status: old.status ?? { attached: false } }),
  validate: validateVolumeAttachment,
  unconditionalUpdate: false,
  answersDeleted: true,
  status: true,
}

export const csiStorageCapacityKind: Kind<CSIStorageCapacity> = {
  resource: csiStorageCapacities,
  type: 'storage.CSIStorageCapacity',
  singular: 'csistoragecapacity',
  columns: [nameColumn, { name: 'Created At', type: 'date' }],
  row: ({ metadata }) => [metadata?.name ?? '', metadata?.creationTimestamp ?? ''],
  validate: validateStorageCapacity,
  unconditionalUpdate: false,
}
