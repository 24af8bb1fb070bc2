// effect: requests to the API server
// Pods that have a node but whose claims are still being bound there: the volumes are written first, then the binder or a
// provisioner does its part, and only then the pod goes to its node.

import { persistentVolumeClaims, type Pod } from '#api/core.ts'
import { keyOf } from '#api/object-key.ts'
import type { Stored } from '#api/stored.ts'
import { type Act, patchOf } from '#client/control/act.ts'
import type { Writer } from '#client/control/writer.ts'
import type { ControllerContext } from '#controllers/controller.ts'
import { isBound, type Reserved, type VolumeView } from '#controllers/scheduler/volumes.ts'
import { claimsOf } from '#controllers/volume-binder/claims-of.ts'
import { claimVolume } from '#controllers/volume-binder/bind.ts'
import { selectedNode } from '#api/volume/marks.ts'
import type { Claim } from '#controllers/volume-binder/match.ts'
import { messageOf } from '#daemon/error.ts'

/** Kubernetes' bindTimeoutSeconds. */
const limitMs = 600_000

type Reservation = {
  readonly pod: Stored<Pod>
  readonly nodeName: string
  readonly volumes: ReadonlySet<string>
  cancel(): void
}

export type Reservations = {
  /** volumes that are promised to pods */
  readonly promised: ReadonlySet<string>
  has(pod: string): boolean
  /** Writes what is to be written; `onBound` follows once all claims are bound, `onFailed` where that cannot be. */
  begin(pod: Stored<Pod>, nodeName: string, reserved: Reserved): Promise<void>
  drop(pod: string): void
  /** A claim has changed. */
  look(claim: Claim): void
}

export function createReservations(
  { clock, log, signal }: ControllerContext,
  writer: Writer,
  claimOf: VolumeView['claim'],
  done: { onBound(pod: Stored<Pod>, nodeName: string): void; onFailed(pod: Stored<Pod>): void },
): Reservations {
  const open = new Map<string, Reservation>()
  const drop = (key: string) => {
    open.get(key)?.cancel()
    open.delete(key)
  }
  const fail = (key: string, why: string) => {
    const one = open.get(key)
    if (one === undefined) return
    drop(key)
    log.info('volumes of a pod are not bound: will look for a node again', { pod: key, why })
    done.onFailed(one.pod)
  }
  const look = (key: string) => {
    const one = open.get(key)
    if (one === undefined) return
    const claims = claimsOf(one.pod).map(claimOf)
    if (claims.some((claim) => claim === undefined)) return fail(key, 'a claim is gone')
    if (!claims.every((claim) => isBound(claim!))) return
    drop(key)
    done.onBound(one.pod, one.nodeName)
  }
  return {
    get promised() {
      return new Set([...open.values()].flatMap(({ volumes }) => [...volumes]))
    },
    has: (key) => open.has(key),
    drop,
    look(claim) {
      for (const [key, { pod, nodeName }] of open) {
        if (!claimsOf(pod).includes(keyOf(claim))) continue
        // A provisioner that cannot make the volume there takes the node's name away.
        const named = claim.metadata.annotations?.[selectedNode]
        if (!isBound(claim) && named !== undefined && named !== nodeName) fail(key, 'another node was selected')
        else look(key)
      }
    },
    async begin(pod, nodeName, reserved) {
      const key = keyOf(pod)
      const cancel = clock.after(limitMs, () => fail(key, 'it took too long'))
      const volumes = new Set(reserved.bind.map(({ volume }) => volume.metadata.name))
      open.set(key, { pod, nodeName, volumes, cancel })
      try {
        await writer.perform(planReservation(reserved, nodeName), signal)
        look(key)
      } catch (error) {
        if (!signal.aborted) fail(key, messageOf(error))
      }
    },
  }
}

/** The binder sees the volume's reference and does the rest. */
export function planReservation({ bind, provision }: Reserved, nodeName: string): readonly Act[] {
  return [
    ...bind.flatMap(({ claim, volume }) => claimVolume(volume, claim)),
    ...provision.map((claim) =>
      patchOf(persistentVolumeClaims, claim, { metadata: { annotations: { [selectedNode]: nodeName } } }),
    ),
  ]
}
