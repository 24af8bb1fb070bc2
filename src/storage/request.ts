// What a claim asks of us, out of the claim and its class.

import type { PersistentVolumeClaim } from '#api/core.ts'
import { parseQuantity, quantityValue } from '#api/quantity.ts'
import type { StorageClass } from '#api/storage.ts'
import type { Stored } from '#api/stored.ts'

/** `image`: a file of the size that was asked for, with a file system in it; `directory`: a folder, and no limit. */
export type VolumeType = 'image' | 'directory'
export type FileSystem = 'ext4' | 'xfs'

export type Request = {
  readonly type: VolumeType
  readonly fileSystem: FileSystem
  readonly sizeBytes: number
  /** the name of one of the node's folders; undefined: the main one */
  readonly folder?: string
}
export type Asked = { readonly request: Request } | { readonly problem: string }

/** What `mkfs` cannot do with less. */
const leastBytes: Readonly<Record<FileSystem, number>> = { ext4: 1 << 20, xfs: 300 << 20 }
const types: readonly VolumeType[] = ['image', 'directory']
const fileSystems: readonly FileSystem[] = ['ext4', 'xfs']
const parameterNames = ['type', 'fsType', 'csi.storage.k8s.io/fstype', 'folder']

export function readRequest({ spec }: Stored<PersistentVolumeClaim>, { parameters = {} }: StorageClass): Asked {
  const unknown = Object.keys(parameters).find((name) => !parameterNames.includes(name))
  if (unknown !== undefined) return refuse(`parameter "${unknown}" is not known: there are type, fsType and folder`)
  const type = (parameters['type'] ?? 'image') as VolumeType
  if (!types.includes(type)) return refuse(`parameter type: "${type}" is neither image nor directory`)
  const fileSystem = (parameters['fsType'] ?? parameters['csi.storage.k8s.io/fstype'] ?? 'ext4') as FileSystem
  if (!fileSystems.includes(fileSystem)) return refuse(`parameter fsType: "${fileSystem}" is neither ext4 nor xfs`)
  if (spec.volumeMode === 'Block') return refuse('volumes of mode Block are not provisioned')
  if (spec.selector !== undefined) return refuse('claim.spec.selector is not supported')
  if (spec.dataSource !== undefined || spec.dataSourceRef !== undefined)
    return refuse('claim.spec.dataSource is not supported')
  const foreign = (spec.accessModes ?? []).find((mode) => mode !== 'ReadWriteOnce' && mode !== 'ReadWriteOncePod')
  if (foreign !== undefined)
    return refuse(`a volume of one node has access mode ReadWriteOnce or ReadWriteOncePod, and not ${foreign}`)
  const sizeBytes = bytesOf(spec.resources?.requests?.['storage'])
  if (type === 'image' && sizeBytes < leastBytes[fileSystem])
    return refuse(`a volume with ${fileSystem} needs ${leastBytes[fileSystem] >> 20}Mi at least`)
  const { folder } = parameters
  return { request: { type, fileSystem, sizeBytes, ...(folder && { folder }) } }
}

const refuse = (problem: string): Asked => ({ problem })

/** 0 where it is no quantity. */
export function bytesOf(quantity: string | undefined): number {
  const parsed = parseQuantity(quantity ?? '0')
  return parsed.kind === 'ok' ? quantityValue(parsed.value) : 0
}
