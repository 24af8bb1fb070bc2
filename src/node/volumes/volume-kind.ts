// What a volume of a pod is to the node, and where it is mounted from.

import type { PersistentVolume, Volume } from '#api/core.ts'
import { parseQuantity, quantityValue } from '#api/quantity.ts'

export type VolumePlan =
  | { readonly kind: 'emptyDir'; readonly inMemory: boolean; readonly sizeBytes: number | undefined }
  | { readonly kind: 'hostPath'; readonly path: string; readonly type: string; readonly readOnly: boolean }
  /** a folder that somebody else keeps on this node */
  | { readonly kind: 'local'; readonly path: string; readonly readOnly: boolean }
  | {
      readonly kind: 'nfs'
      readonly readOnly: boolean
      readonly server: string
      readonly path: string
      readonly options: readonly string[]
    }
  /** files from API objects; `secret` ones are kept in memory */
  | { readonly kind: 'payload'; readonly plugin: string; readonly secret: boolean }
  /** `message` is for the event */
  | { readonly kind: 'unsupported'; readonly message: string }

export function planVolume(volume: Volume): VolumePlan {
  if (volume.emptyDir) {
    const { medium, sizeLimit } = volume.emptyDir
    const size = sizeLimit === undefined ? undefined : parseQuantity(sizeLimit)
    const sizeBytes = size?.kind === 'ok' ? quantityValue(size.value) : undefined
    return { kind: 'emptyDir', inMemory: medium === 'Memory', sizeBytes }
  }
  if (volume.hostPath) return planHostPath(volume.hostPath, false)
  if (volume.nfs) return planNfs(volume.nfs, [], false)
  if (volume.configMap) return { kind: 'payload', plugin: 'configmap', secret: false }
  if (volume.downwardAPI) return { kind: 'payload', plugin: 'downward-api', secret: false }
  if (volume.secret) return { kind: 'payload', plugin: 'secret', secret: true }
  if (volume.projected) return { kind: 'payload', plugin: 'projected', secret: true }
  const kind = Object.keys(volume).find((field) => field !== 'name') ?? 'unknown'
  return {
    kind: 'unsupported',
    message: `no volume plugin matched: volumes of type ${kind} are not supported on this node`,
  }
}

/** The volume behind a claim; `readOnly`: the pod wants no more. */
export function planClaimed({ spec = {} }: PersistentVolume, readOnly: boolean): VolumePlan {
  if (spec.volumeMode === 'Block')
    return { kind: 'unsupported', message: 'volumes of mode Block are not supported on this node' }
  if (spec.hostPath) return planHostPath(spec.hostPath, readOnly)
  if (spec.local) return { kind: 'local', path: spec.local.path, readOnly }
  if (spec.nfs) return planNfs(spec.nfs, spec.mountOptions ?? [], readOnly)
  const own = ['capacity', 'accessModes', 'claimRef', 'persistentVolumeReclaimPolicy', 'storageClassName']
  const others = ['mountOptions', 'volumeMode', 'nodeAffinity', 'volumeAttributesClassName']
  const kind = Object.keys(spec).find((field) => ![...own, ...others].includes(field)) ?? 'unknown'
  return {
    kind: 'unsupported',
    message: `no volume plugin matched: persistent volumes of type ${kind} are not supported on this node`,
  }
}

const planHostPath = ({ path, type = '' }: NonNullable<Volume['hostPath']>, readOnly: boolean): VolumePlan => ({
  kind: 'hostPath',
  path,
  type,
  readOnly,
})

const planNfs = (
  { server, path, readOnly: isReadOnly = false }: NonNullable<Volume['nfs']>,
  options: readonly string[],
  readOnly: boolean,
): VolumePlan => ({ kind: 'nfs', server, path, options, readOnly: readOnly || isReadOnly })

/** What kubelet calls the folder of a volume's plugin. */
export const pluginFolder = (plugin: string): string => `kubernetes.io~${plugin}`

/** Why a hostPath of this type may not be used as it is found; undefined where it may. `found` is what is there. */
export function hostPathProblem(
  path: string,
  type: string,
  found: 'directory' | 'file' | 'socket' | 'charDevice' | 'blockDevice' | 'missing',
): string | undefined {
  const wanted: Record<string, readonly [kind: typeof found, text: string]> = {
    Directory: ['directory', 'a directory'],
    DirectoryOrCreate: ['directory', 'a directory'],
    File: ['file', 'a file'],
    FileOrCreate: ['file', 'a file'],
    Socket: ['socket', 'a socket file'],
    CharDevice: ['charDevice', 'a character device'],
    BlockDevice: ['blockDevice', 'a block device'],
  }
  const [kind, text] = wanted[type] ?? []
  if (kind === undefined || found === kind || (type.endsWith('OrCreate') && found === 'missing')) return undefined
  return `hostPath type check failed: ${path} is not ${text}`
}
