// effect: starts controllers
// All controllers, and which of them --controllers asks for.

import type { Controller } from '#controllers/controller.ts'
import { bootstrapSigner } from '#controllers/bootstrap-signer/controller.ts'
import { certificateController } from '#controllers/certificate/controller.ts'
import { daemonSetController } from '#controllers/daemonset/controller.ts'
import { deploymentController } from '#controllers/deployment/controller.ts'
import { disruptionController } from '#controllers/disruption/controller.ts'
import { endpointsController } from '#controllers/endpoints/controller.ts'
import { endpointSliceMirroringController } from '#controllers/endpointslice-mirroring/controller.ts'
import { endpointSliceController } from '#controllers/endpointslice/controller.ts'
import { ephemeralVolumeController } from '#controllers/ephemeral-volume/controller.ts'
import { garbageCollector } from '#controllers/garbage-collector/controller.ts'
import { jobController } from '#controllers/job/controller.ts'
import { namespaceController } from '#controllers/namespace/controller.ts'
import { nodeIpamController } from '#controllers/node-ipam/controller.ts'
import { nodeLifecycleController } from '#controllers/node-lifecycle/controller.ts'
import { podGarbageCollector } from '#controllers/pod-garbage-collector/controller.ts'
import { replicaSetController, replicationController } from '#controllers/replicaset/controller.ts'
import { scheduler } from '#controllers/scheduler/controller.ts'
import { rootCaPublisher, serviceAccountController } from '#controllers/service-account/controller.ts'
import { serviceCidrController } from '#controllers/service-cidr/controller.ts'
import { statefulSetController } from '#controllers/statefulset/controller.ts'
import { taintEvictionController } from '#controllers/taint-eviction/controller.ts'
import { tokenCleaner } from '#controllers/token-cleaner/controller.ts'
import { volumeBinder } from '#controllers/volume-binder/controller.ts'
import { volumeExpansionController } from '#controllers/volume-expansion/controller.ts'
import { claimProtectionController, volumeProtectionController } from '#controllers/volume-protection/controller.ts'
import { UserError } from '#daemon/error.ts'
import { nearest } from '#lib/nearest.ts'

/** In the order in which they start: what users wait for comes first. */
export const roster: readonly Controller[] = [
  scheduler,
  replicaSetController,
  deploymentController,
  endpointSliceController,
  endpointsController,
  endpointSliceMirroringController,
  statefulSetController,
  daemonSetController,
  jobController,
  replicationController,
  disruptionController,
  ephemeralVolumeController,
  volumeBinder,
  claimProtectionController,
  volumeProtectionController,
  volumeExpansionController,
  nodeIpamController,
  nodeLifecycleController,
  taintEvictionController,
  serviceCidrController,
  certificateController,
  bootstrapSigner,
  tokenCleaner,
  serviceAccountController,
  rootCaPublisher,
  namespaceController,
  garbageCollector,
  podGarbageCollector,
]

/**
 * Those that `wanted` asks for: `*` is all, `NAME` one, `-NAME` all but one. Throws UserError that names what nobody is
 * called.
 */
export function chosen(wanted: readonly string[], all: readonly Controller[] = roster): readonly Controller[] {
  const named = new Map(
    all.flatMap((one) => [[one.name, one] as const, ...(one.alias ? [[one.alias, one] as const] : [])]),
  )
  const picked = new Set<Controller>()
  const dropped = new Set<Controller>()
  for (const word of wanted) {
    if (word === '*') continue
    const isDropped = word.startsWith('-')
    const name = isDropped ? word.slice(1) : word
    const one = named.get(name)
    if (one === undefined) {
      const near = nearest(name, [...named.keys()])
      const remedy =
        near === undefined ? `there are: ${all.map(({ name }) => name).join(', ')}` : `did you mean ${near}?`
      throw new UserError(`--controllers: no controller is called "${name}"`, { code: 'BadFlag', remedy, exitCode: 2 })
    }
    ;(isDropped ? dropped : picked).add(one)
  }
  return all.filter((one) => (wanted.includes('*') || picked.has(one)) && !dropped.has(one))
}
