// What the volumes of a pod may say, and where containers may mount them.

import { checkForm } from '#api/check-field.ts'
import type { Container, Volume, VolumeMount } from '#api/core.ts'
import { duplicate, type FieldError, forbidden, invalid, notFound, notSupported, required } from '#api/field-error.ts'
import { dns1123Label } from '#api/names.ts'
import { checkFieldRef, checkResourceRef } from '#api/pod/validate-env.ts'
import { checkDescendingPath, checkMode, checkNoBacksteps, checkVolumePath } from '#api/pod/validate-path.ts'
import type { Typed } from '#api/schema/schema.ts'

type KeyToPath = Typed<'core', 'KeyToPath'>
type DownwardFile = Typed<'core', 'DownwardAPIVolumeFile'>
type Projected = Typed<'core', 'ProjectedVolumeSource'>
type Projection = Typed<'core', 'VolumeProjection'>

export type Volumes = ReadonlyMap<string, Volume>

/** The errors, and the volumes that mounts may name: those without one. */
export function checkVolumes(
  volumes: readonly Volume[],
  path: string,
): { readonly errors: readonly FieldError[]; readonly usable: Volumes } {
  const usable = new Map<string, Volume>()
  const errors = volumes.flatMap((volume, at) => {
    const place = `${path}[${at}]`
    const found = checkVolumeSource(volume, place)
    if (volume.name) found.push(...checkForm(`${place}.name`, volume.name, dns1123Label))
    else found.push(required(`${place}.name`))
    if (usable.has(volume.name)) found.push(duplicate(`${place}.name`, volume.name))
    if (found.length === 0) usable.set(volume.name, volume)
    return found
  })
  return { errors, usable }
}

function checkVolumeSource(volume: Volume, path: string): FieldError[] {
  const { name: _, ...sources } = volume
  const [first, ...others] = Object.keys(sources)
  if (first === undefined) return [required(path, 'must specify a volume type')]
  return [
    ...others.map((other) => forbidden(`${path}.${other}`, 'may not specify more than 1 volume type')),
    ...checkSource(volume, path),
  ]
}

/** The sources that this project's nodes mount, and claims; others are kept as they are. */
function checkSource(volume: Volume, path: string): FieldError[] {
  const { emptyDir, hostPath, secret, configMap, downwardAPI, projected, persistentVolumeClaim: claim, nfs } = volume
  const errors: FieldError[] = []
  if (emptyDir?.sizeLimit?.startsWith('-'))
    errors.push(forbidden(`${path}.emptyDir.sizeLimit`, 'SizeLimit field must be a valid resource quantity'))
  if (hostPath) errors.push(...checkHostPath(hostPath, `${path}.hostPath`))
  if (secret) {
    if (!secret.secretName) errors.push(required(`${path}.secret.secretName`))
    errors.push(...checkMode(`${path}.secret.defaultMode`, secret.defaultMode))
    errors.push(...checkItems(secret.items, `${path}.secret.items`))
  }
  if (configMap) {
    if (!configMap.name) errors.push(required(`${path}.configMap.name`))
    errors.push(...checkMode(`${path}.configMap.defaultMode`, configMap.defaultMode))
    errors.push(...checkItems(configMap.items, `${path}.configMap.items`))
  }
  if (downwardAPI) {
    errors.push(...checkMode(`${path}.downwardAPI.defaultMode`, downwardAPI.defaultMode))
    for (const file of downwardAPI.items ?? []) errors.push(...checkDownwardFile(file, `${path}.downwardAPI`))
  }
  if (projected) errors.push(...checkProjected(projected, `${path}.projected`))
  if (claim && !claim.claimName) errors.push(required(`${path}.persistentVolumeClaim.claimName`))
  if (nfs) errors.push(...checkNfs(nfs, `${path}.nfs`))
  return errors
}

const hostPathTypes = [
  '',
  'BlockDevice',
  'CharDevice',
  'Directory',
  'DirectoryOrCreate',
  'File',
  'FileOrCreate',
  'Socket',
]

function checkHostPath({ path: host, type }: NonNullable<Volume['hostPath']>, path: string): FieldError[] {
  if (!host) return [required(`${path}.path`)]
  return [
    ...checkNoBacksteps(`${path}.path`, host),
    ...(type === undefined || hostPathTypes.includes(type) ? [] : [notSupported(`${path}.type`, type, hostPathTypes)]),
  ]
}

function checkNfs(nfs: NonNullable<Volume['nfs']>, path: string): FieldError[] {
  const errors: FieldError[] = []
  if (!nfs.server) errors.push(required(`${path}.server`))
  if (!nfs.path) errors.push(required(`${path}.path`))
  else if (!nfs.path.startsWith('/')) errors.push(invalid(`${path}.path`, nfs.path, 'must be an absolute path'))
  return errors
}

function checkItems(items: readonly KeyToPath[] | undefined, path: string): FieldError[] {
  return (items ?? []).flatMap((item, at) => [
    ...(item.key ? [] : [required(`${path}[${at}].key`)]),
    ...(item.path ? [] : [required(`${path}[${at}].path`)]),
    ...checkVolumePath(`${path}[${at}].path`, item.path ?? ''),
    ...checkMode(`${path}[${at}].mode`, item.mode),
  ])
}

const downwardFields = [
  'metadata.annotations',
  'metadata.labels',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
]

function checkDownwardFile({ path: file, fieldRef, resourceFieldRef, mode }: DownwardFile, path: string): FieldError[] {
  const errors = [...(file ? [] : [required(`${path}.path`)]), ...checkVolumePath(`${path}.path`, file ?? '')]
  if (fieldRef) {
    errors.push(...checkFieldRef(fieldRef, downwardFields, `${path}.fieldRef`))
    if (resourceFieldRef)
      errors.push(invalid(path, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously'))
  } else if (resourceFieldRef) errors.push(...checkResourceRef(resourceFieldRef, `${path}.resourceFieldRef`, true))
  else errors.push(required(path, 'one of fieldRef and resourceFieldRef is required'))
  return [...errors, ...checkMode(`${path}.mode`, mode)]
}

function checkProjected({ defaultMode, sources = [] }: Projected, path: string): FieldError[] {
  const seen = new Set<string>()
  const claim = (file: string | undefined, owner: string): FieldError[] => {
    const isTaken = file !== undefined && seen.has(file)
    if (file) seen.add(file)
    return isTaken ? [invalid(path, owner, 'conflicting duplicate paths')] : []
  }
  return [
    ...checkMode(`${path}.defaultMode`, defaultMode),
    ...sources.flatMap((source, at) => checkProjection(source, path, `${path}.sources[${at}]`, claim)),
  ]
}

function checkProjection(
  source: Projection,
  root: string,
  path: string,
  claim: (file: string | undefined, owner: string) => FieldError[],
): FieldError[] {
  const errors: FieldError[] = []
  const { secret, configMap, downwardAPI, serviceAccountToken: token } = source
  for (const [field, from] of Object.entries({ secret, configMap })) {
    if (from === undefined) continue
    if (!from.name) errors.push(required(`${path}.${field}.name`))
    errors.push(...checkItems(from.items, `${path}.${field}.items`))
    for (const item of from.items ?? []) errors.push(...claim(item.path, from.name ?? ''))
  }
  for (const file of downwardAPI?.items ?? [])
    errors.push(...checkDownwardFile(file, `${path}.downwardAPI`), ...claim(file.path, file.path))
  if (token) {
    const seconds = token.expirationSeconds ?? 3600
    const bounds = `${path}.serviceAccountToken.expirationSeconds`
    if (seconds < 600) errors.push(invalid(bounds, seconds, 'may not specify a duration less than 10 minutes'))
    if (seconds > 2 ** 32) errors.push(invalid(bounds, seconds, 'may not specify a duration larger than 2^32 seconds'))
    errors.push(...(token.path ? checkVolumePath(`${root}.path`, token.path) : [required(`${root}.path`)]))
  }
  if (Object.keys(source).length > 1) errors.push(forbidden(path, 'may not specify more than 1 volume type per source'))
  return errors
}

const propagations = ['Bidirectional', 'HostToContainer', 'None']

export function checkMounts(container: Container, volumes: Volumes, path: string): FieldError[] {
  const seen = new Set<string>()
  const devices = container.volumeDevices ?? []
  const isPrivileged = container.securityContext?.privileged === true
  return (container.volumeMounts ?? []).flatMap((mount, at) => {
    const place = `${path}[${at}]`
    const errors = checkMount(mount, volumes, place)
    if (seen.has(mount.mountPath)) errors.push(invalid(`${place}.mountPath`, mount.mountPath, 'must be unique'))
    seen.add(mount.mountPath)
    if (devices.some(({ name }) => name === mount.name))
      errors.push(invalid(`${place}.name`, mount.name, 'must not already exist in volumeDevices'))
    if (devices.some(({ devicePath }) => devicePath === mount.mountPath))
      errors.push(invalid(`${place}.mountPath`, mount.mountPath, 'must not already exist as a path in volumeDevices'))
    errors.push(...checkSubPath(mount, path, place))
    if (mount.mountPropagation !== undefined) {
      if (!propagations.includes(mount.mountPropagation))
        errors.push(notSupported(`${path}.mountPropagation`, mount.mountPropagation, propagations))
      if (mount.mountPropagation === 'Bidirectional' && !isPrivileged) {
        const detail = 'Bidirectional mount propagation is available only to privileged containers'
        errors.push(forbidden(`${path}.mountPropagation`, detail))
      }
    }
    return errors
  })
}

function checkMount(mount: VolumeMount, volumes: Volumes, path: string): FieldError[] {
  const errors: FieldError[] = []
  if (!mount.name) errors.push(required(`${path}.name`))
  if (!volumes.has(mount.name)) errors.push(notFound(`${path}.name`, mount.name ?? ''))
  if (!mount.mountPath) errors.push(required(`${path}.mountPath`))
  return errors
}

/** Upstream reports bad sub paths at the list. */
function checkSubPath({ subPath, subPathExpr }: VolumeMount, listPath: string, path: string): FieldError[] {
  const errors = subPath ? checkDescendingPath(`${listPath}.subPath`, subPath) : []
  if (!subPathExpr) return errors
  if (subPath)
    errors.push(invalid(`${path}.subPathExpr`, subPathExpr, 'subPathExpr and subPath are mutually exclusive'))
  return [...errors, ...checkDescendingPath(`${listPath}.subPathExpr`, subPathExpr)]
}
