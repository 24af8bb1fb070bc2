// What a pod's claims say about where it may go: Kubernetes' VolumeBinding plugin
// (pkg/scheduler/framework/plugins/volumebinding). Claims that wait for their first pod get a volume together with the
// pod's node; all others must have one already.

import type { Pod } from '#api/core.ts'
import type { StorageClass } from '#api/storage.ts'
import type { Stored } from '#api/stored.ts'
import { bindCompleted } from '#api/volume/marks.ts'
import { ephemeralClaimName, whyNotOfPod } from '#api/volume/ephemeral.ts'
import { matchesTerm } from '#controllers/scheduler/node-affinity.ts'
import type { NodeView } from '#controllers/scheduler/view.ts'
import { claimsOf } from '#controllers/volume-binder/claims-of.ts'
import { type Claim, classOfClaim, findVolume, type Volume } from '#controllers/volume-binder/match.ts'

export type VolumeView = {
  claim(key: string): Claim | undefined
  volume(name: string): Volume | undefined
  volumes(): Iterable<Volume>
  storageClass(name: string): StorageClass | undefined
  /** volumes that are being given to claims just now */
  readonly promised: ReadonlySet<string>
}

export const noVolumes: VolumeView = {
  claim: () => undefined,
  volume: () => undefined,
  volumes: () => [],
  storageClass: () => undefined,
  promised: new Set(),
}

/** What is still to be done for a pod's claims once it has a node. */
export type Reserved = {
  readonly bind: readonly { readonly claim: Claim; readonly volume: Volume }[]
  readonly provision: readonly Claim[]
}

export type VolumeNeeds = {
  /** why no node at all will do; undefined: some may */
  readonly refusal: string | undefined
  /** Why this node will not do. */
  objection(view: NodeView): string | undefined
  /** undefined where nothing is to be done. */
  reserve(view: NodeView): Reserved | undefined
}

const free: VolumeNeeds = { refusal: undefined, objection: () => undefined, reserve: () => undefined }

export function volumeNeeds(pod: Stored<Pod>, volumes: VolumeView): VolumeNeeds {
  const keys = claimsOf(pod)
  if (keys.length === 0) return free
  const ephemeral = new Set(
    (pod.spec.volumes ?? []).flatMap((volume) =>
      volume.ephemeral ? [ephemeralClaimName(pod.metadata.name, volume.name)] : [],
    ),
  )
  const claims: Claim[] = []
  for (const key of keys) {
    const claim = volumes.claim(key)
    const claimName = key.slice(key.indexOf('/') + 1)
    const name = JSON.stringify(claimName)
    if (claim === undefined)
      return {
        ...free,
        refusal: ephemeral.has(claimName)
          ? `waiting for ephemeral volume controller to create the persistentvolumeclaim ${name}`
          : `persistentvolumeclaim ${name} not found`,
      }
    const foreign = ephemeral.has(claimName) ? whyNotOfPod(claim, pod) : undefined
    if (foreign !== undefined) return { ...free, refusal: foreign }
    if (claim.metadata.deletionTimestamp !== undefined)
      return { ...free, refusal: `persistentvolumeclaim ${name} is being deleted` }
    if (claim.status?.phase === 'Lost')
      return {
        ...free,
        refusal: `persistentvolumeclaim ${name} bound to non-existent persistentvolume ${JSON.stringify(claim.spec.volumeName ?? '')}`,
      }
    claims.push(claim)
  }
  const bound = claims.filter(isBound)
  const waiting = claims.filter((claim) => !isBound(claim))
  if (waiting.some((claim) => !isDelayed(claim, volumes)))
    return { ...free, refusal: 'pod has unbound immediate PersistentVolumeClaims' }
  const plan = (view: NodeView) => planOn(view, waiting, volumes)
  return {
    refusal: undefined,
    objection(view) {
      for (const { spec } of bound) {
        const volume = volumes.volume(spec.volumeName ?? '')
        if (volume === undefined) return 'node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)'
        if (!isUsableOn(volume, view)) return "node(s) didn't match PersistentVolume's node affinity"
      }
      return waiting.length === 0 || plan(view) ? undefined : "node(s) didn't find available persistent volumes to bind"
    },
    reserve: (view) => (waiting.length === 0 ? undefined : plan(view)),
  }
}

export const isBound = ({ metadata, spec }: Claim): boolean =>
  Boolean(spec.volumeName) && bindCompleted in (metadata.annotations ?? {})

/** A claim whose volume the binder has begun to bind counts as one that waits. */
const isDelayed = (claim: Claim, { storageClass }: VolumeView): boolean =>
  storageClass(classOfClaim(claim))?.volumeBindingMode === 'WaitForFirstConsumer'

/** A volume for each claim, or a provisioner that would make one there; the largest claims do not go last. */
function planOn(view: NodeView, claims: readonly Claim[], volumes: VolumeView): Reserved | undefined {
  const taken = new Set(volumes.promised)
  const bind: { claim: Claim; volume: Volume }[] = []
  const provision: Claim[] = []
  for (const claim of claims) {
    const options = { isUsable: (volume: Volume) => isUsableOn(volume, view), except: taken }
    const volume = findVolume(claim, volumes.volumes(), options)
    if (volume) {
      taken.add(volume.metadata.name)
      bind.push({ claim, volume })
    } else if (isProvisionable(volumes.storageClass(classOfClaim(claim)), view)) provision.push(claim)
    else return undefined
  }
  return { bind, provision }
}

export function isUsableOn({ spec }: Volume, view: NodeView): boolean {
  const terms = spec.nodeAffinity?.required?.nodeSelectorTerms
  return terms === undefined || terms.some((term) => matchesTerm(term, view))
}

function isProvisionable(storageClass: StorageClass | undefined, { labels }: NodeView): boolean {
  if (!storageClass?.provisioner || storageClass.provisioner === 'kubernetes.io/no-provisioner') return false
  const { allowedTopologies = [] } = storageClass
  const matches = ({ matchLabelExpressions = [] }: (typeof allowedTopologies)[number]) =>
    matchLabelExpressions.every(({ key, values = [] }) => values.includes(labels[key] ?? ''))
  return allowedTopologies.length === 0 || allowedTopologies.some(matches)
}
