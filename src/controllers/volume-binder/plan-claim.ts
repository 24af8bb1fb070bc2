// What has to happen to a claim (syncClaim of pkg/controller/volume/persistentvolume/pv_controller.go).

import { persistentVolumeClaims } from '#api/core.ts'
import type { StorageClass } from '#api/storage.ts'
import {
  betaStorageProvisioner,
  bindCompleted,
  boundByController,
  selectedNode,
  storageProvisioner,
} from '#api/volume/marks.ts'
import { type Act, eventAbout, patchOf } from '#client/control/act.ts'
import { planBind, setClaimStatus } from '#controllers/volume-binder/bind.ts'
import {
  type Claim,
  classOfClaim,
  findVolume,
  hasClass,
  isReservedFor,
  type Volume,
  whyUnfit,
} from '#controllers/volume-binder/match.ts'

/** What a claim's fate depends on. */
export type ClaimView = {
  volume(name: string): Volume | undefined
  volumes(): Iterable<Volume>
  storageClass(name: string): StorageClass | undefined
  /** the class of claims that name none; undefined: there is none */
  readonly defaultClass: string | undefined
  /** names of pods that use the claim and have no node yet */
  waitingPods(claim: Claim): readonly string[]
  readonly now: string
}

export function planClaim(claim: Claim, view: ClaimView): readonly Act[] {
  return bindCompleted in (claim.metadata.annotations ?? {}) ? planBound(claim, view) : planUnbound(claim, view)
}

function planUnbound(claim: Claim, view: ClaimView): readonly Act[] {
  const { volumeName } = claim.spec
  if (!volumeName) return planSearch(claim, view)
  const volume = view.volume(volumeName)
  if (volume === undefined) {
    // Kubernetes says nothing here.
    const missing = `volume ${JSON.stringify(volumeName)} does not exist`
    return [warn(claim, 'FailedBinding', missing), ...setClaimStatus(claim, 'Pending')]
  }
  if (volume.spec.claimRef === undefined) {
    const why = whyUnfit(volume, claim)
    if (why === undefined) return planBind(volume, claim, view.now)
    const message = `Cannot bind to requested volume ${JSON.stringify(volumeName)}: ${why}`
    return [warn(claim, 'VolumeMismatch', message), ...setClaimStatus(claim, 'Pending')]
  }
  if (isReservedFor(volume, claim)) return planBind(volume, claim, view.now)
  const message = `volume ${JSON.stringify(volumeName)} already bound to a different claim.`
  const isOurs = boundByController in (claim.metadata.annotations ?? {})
  return [warn(claim, 'FailedBinding', message), ...(isOurs ? [] : setClaimStatus(claim, 'Pending'))]
}

function planSearch(claim: Claim, view: ClaimView): readonly Act[] {
  const className = classOfClaim(claim)
  const storageClass = className === '' ? undefined : view.storageClass(className)
  const isDelayed = storageClass?.volumeBindingMode === 'WaitForFirstConsumer'
  const volume = findVolume(claim, view.volumes(), { isDelayed })
  if (volume) return planBind(volume, claim, view.now)
  if (!hasClass(claim) && view.defaultClass !== undefined)
    // Its next sync goes by the class.
    return [patchOf(persistentVolumeClaims, claim, { spec: { storageClassName: view.defaultClass } })]
  const pending = setClaimStatus(claim, 'Pending')
  if (isDelayed && !claim.metadata.annotations?.[selectedNode])
    return [waitForConsumer(claim, view.waitingPods(claim)), ...pending]
  if (className !== '') return [...planProvisioning(claim, className, storageClass), ...pending]
  const message = 'no persistent volumes available for this claim and no storage class is set'
  return [tell(claim, 'FailedBinding', message), ...pending]
}

function waitForConsumer(claim: Claim, pods: readonly string[]): Act {
  if (pods.length === 0)
    return tell(claim, 'WaitForFirstConsumer', 'waiting for first consumer to be created before binding')
  const which = pods.length > 1 ? `pods ${pods.join(',')}` : `pod ${pods[0]}`
  return tell(claim, 'WaitForPodScheduled', `waiting for ${which} to be scheduled`)
}

/** No provisioner is built in: a claim of a class waits for the one that the class names. */
function planProvisioning(claim: Claim, name: string, storageClass: StorageClass | undefined): readonly Act[] {
  if (storageClass === undefined)
    return [warn(claim, 'ProvisioningFailed', `storageclass.storage.k8s.io ${JSON.stringify(name)} not found`)]
  const { provisioner } = storageClass
  if (provisioner.startsWith('kubernetes.io/')) {
    const why =
      provisioner === 'kubernetes.io/no-provisioner'
        ? 'no volume plugin matched name: kubernetes.io/no-provisioner'
        : `no volume plugin matched name: ${provisioner}`
    return [warn(claim, 'ProvisioningFailed', why)]
  }
  const { annotations = {} } = claim.metadata
  const marks = { [storageProvisioner]: provisioner, [betaStorageProvisioner]: provisioner }
  const isAsked = Object.keys(marks).every((key) => annotations[key] === provisioner)
  const message =
    `Waiting for a volume to be created either by the external provisioner '${provisioner}' ` +
    'or manually by the system administrator. If volume creation is delayed, please verify that ' +
    'the provisioner is running and correctly registered.'
  return [
    ...(isAsked ? [] : [patchOf(persistentVolumeClaims, claim, { metadata: { annotations: marks } })]),
    tell(claim, 'ExternalProvisioning', message),
  ]
}

function planBound(claim: Claim, view: ClaimView): readonly Act[] {
  const { volumeName } = claim.spec
  const lose = (reason: string, message: string) =>
    claim.status?.phase === 'Lost' ? [] : [...setClaimStatus(claim, 'Lost'), warn(claim, reason, message)]
  if (!volumeName)
    return lose('ClaimLost', 'Bound claim has lost reference to PersistentVolume. Data on the volume is lost!')
  const volume = view.volume(volumeName)
  if (volume === undefined)
    return lose('ClaimLost', 'Bound claim has lost its PersistentVolume. Data on the volume is lost!')
  const { claimRef } = volume.spec
  if (claimRef === undefined || claimRef.uid === claim.metadata.uid) return planBind(volume, claim, view.now)
  return lose('ClaimMisbound', 'Two claims are bound to the same volume, this one is bound incorrectly')
}

const tell = (claim: Claim, reason: string, message: string): Act =>
  eventAbout(persistentVolumeClaims, claim, 'Normal', reason, message)
const warn = (claim: Claim, reason: string, message: string): Act =>
  eventAbout(persistentVolumeClaims, claim, 'Warning', reason, message)
