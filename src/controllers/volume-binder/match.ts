// Which volume a claim gets: Kubernetes' rules (k8s.io/component-helpers/storage/volume/pv_helpers.go and
// pkg/controller/volume/persistentvolume/index.go).

import type { PersistentVolume, PersistentVolumeClaim } from '#api/core.ts'
import { compareQuantity, parseQuantity, type Quantity } from '#api/quantity.ts'
import { matchLabelSelector } from '#api/selector.ts'
import type { Stored } from '#api/stored.ts'

export type Volume = Stored<PersistentVolume>
export type Claim = Stored<PersistentVolumeClaim>

export type MatchOptions = {
  /** the claim waits for its first pod: only a volume that is reserved for it is taken */
  readonly isDelayed?: boolean
  /** The scheduler asks for one node: whether the volume can be used there. */
  readonly isUsable?: (volume: Volume) => boolean
  /** names of volumes that other claims of the same pod get */
  readonly except?: ReadonlySet<string>
}

/** The volume reserved for the claim, else the smallest that fits among those with the fewest access modes. */
export function findVolume(claim: Claim, volumes: Iterable<Volume>, options: MatchOptions = {}): Volume | undefined {
  const wanted = claim.spec.accessModes ?? []
  const groups = new Map<string, Volume[]>()
  for (const volume of volumes) {
    const modes = [...(volume.spec.accessModes ?? [])].sort()
    if (!wanted.every((mode) => modes.includes(mode))) continue
    const group = groups.get(modes.join())
    if (group) group.push(volume)
    else groups.set(modes.join(), [volume])
  }
  const byModes = [...groups].sort(([a], [b]) => a.split(',').length - b.split(',').length)
  for (const [, group] of byModes) {
    const found = findIn(claim, group, options)
    if (found) return found
  }
  return undefined
}

function findIn(
  claim: Claim,
  volumes: readonly Volume[],
  { isDelayed = false, isUsable, except }: MatchOptions,
): Volume | undefined {
  let best: Volume | undefined
  for (const volume of volumes) {
    if (except?.has(volume.metadata.name)) continue
    const isReserved = isReservedFor(volume, claim)
    if (volume.spec.claimRef !== undefined && !isReserved) continue
    if (compareQuantity(sizeOf(volume), requestOf(claim)) < 0) continue
    if (modeOf(volume) !== modeOf(claim) || attributesOf(volume) !== attributesOf(claim)) continue
    if (volume.metadata.deletionTimestamp !== undefined) continue
    const usable = isUsable?.(volume) ?? true
    if (isReserved) return usable ? volume : undefined
    if (isUsable === undefined && isDelayed) continue
    if (volume.status?.phase !== 'Available') continue
    if (claim.spec.selector !== undefined && !matchLabelSelector(claim.spec.selector, volume.metadata.labels)) continue
    if (classOfVolume(volume) !== classOfClaim(claim) || !usable) continue
    if (best === undefined || compareQuantity(sizeOf(best), sizeOf(volume)) > 0) best = volume
  }
  return best
}

/** The claim that a volume names is this one; a reference without a UID is a reservation by name. */
export function isReservedFor({ spec }: Volume, { metadata }: Claim): boolean {
  const { claimRef } = spec
  return (
    claimRef !== undefined &&
    claimRef.name === metadata.name &&
    claimRef.namespace === metadata.namespace &&
    (!claimRef.uid || claimRef.uid === metadata.uid)
  )
}

/** Why a claim cannot have the volume that it names; undefined: it can. */
export function whyUnfit(volume: Volume, claim: Claim): string | undefined {
  if (volume.metadata.deletionTimestamp !== undefined)
    return `the volume is marked for deletion ${JSON.stringify(volume.metadata.name)}`
  if (compareQuantity(sizeOf(volume), requestOf(claim)) < 0) return 'requested PV is too small'
  if (classOfVolume(volume) !== classOfClaim(claim)) return 'storageClassName does not match'
  if (attributesOf(volume) !== attributesOf(claim)) return 'volumeAttributesClassName does not match'
  if (modeOf(volume) !== modeOf(claim)) return 'incompatible volumeMode'
  const modes = volume.spec.accessModes ?? []
  return (claim.spec.accessModes ?? []).every((mode) => modes.includes(mode)) ? undefined : 'incompatible accessMode'
}

/** Nothing given is the same as a file system. */
export const modeOf = ({ spec }: Volume | Claim): string => spec.volumeMode ?? 'Filesystem'
const attributesOf = ({ spec }: Volume | Claim): string => spec.volumeAttributesClassName ?? ''

const classAnnotation = 'volume.beta.kubernetes.io/storage-class'
/** The older annotation counts before the field. */
export const classOfClaim = ({ metadata, spec }: Claim): string =>
  metadata.annotations?.[classAnnotation] ?? spec.storageClassName ?? ''
export const hasClass = ({ metadata, spec }: Claim): boolean =>
  metadata.annotations?.[classAnnotation] !== undefined || spec.storageClassName !== undefined
const classOfVolume = ({ metadata, spec }: Volume): string =>
  metadata.annotations?.[classAnnotation] ?? spec.storageClassName ?? ''

const sizeOf = ({ spec }: Volume): Quantity => read(spec.capacity?.['storage'])
const requestOf = ({ spec }: Claim): Quantity => read(spec.resources?.requests?.['storage'])
function read(text: string | undefined): Quantity {
  const parsed = parseQuantity(text ?? '0')
  return parsed.kind === 'ok' ? parsed.value : read('0')
}
