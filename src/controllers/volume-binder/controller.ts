// effect: requests to the API server
// The binder: one worker for claims and volumes, since two could give one volume to two claims.

import { persistentVolumeClaims, persistentVolumes, pods } from '#api/core.ts'
import { isDefaultClass, newestOf } from '#api/default-class.ts'
import { keyOf } from '#api/object-key.ts'
import { isPodTerminal } from '#api/pod-state.ts'
import { storageClasses } from '#api/storage.ts'
import { stored } from '#api/stored.ts'
import { formatTime } from '#api/time.ts'
import { isNotFound } from '#client/client.ts'
import type { Controller, ControllerContext } from '#controllers/controller.ts'
import { claimsOf } from '#controllers/volume-binder/claims-of.ts'
import type { Claim, Volume } from '#controllers/volume-binder/match.ts'
import { type ClaimView, planClaim } from '#controllers/volume-binder/plan-claim.ts'
import { planVolume } from '#controllers/volume-binder/plan-volume.ts'

export const volumeBinder: Controller = {
  name: 'persistentvolume-binder-controller',
  alias: 'persistentvolume-binder',
  async start(context) {
    const { caches, clock, signal } = context
    const claims = caches.of(persistentVolumeClaims)
    const volumes = caches.of(persistentVolumes)
    const classes = caches.of(storageClasses)
    const consumers = caches.of(pods)
    const users = consumers.index(claimsOf)
    const writer = context.writer('persistentvolume-controller')
    const view: ClaimView = {
      volume: (name) => volumes.get(name),
      volumes: () => volumes.values(),
      storageClass: (name) => classes.get(name),
      get defaultClass() {
        return newestOf([...classes.values()].filter(isDefaultClass))?.metadata.name
      },
      waitingPods: (claim) =>
        users
          .of(keyOf(claim))
          .filter((pod) => !pod.spec.nodeName && !isPodTerminal(pod))
          .map(({ metadata }) => metadata.name),
      get now() {
        return formatTime(clock.now())
      },
    }
    const queue = context.queue('claims_and_volumes', 1, async (key) => {
      const [kind, name] = [key[0], key.slice(2)]
      if (kind === 'c') {
        const claim = claims.get(name)
        if (claim) await writer.perform(planClaim(claim, view), signal)
        return
      }
      const volume = volumes.get(name)
      if (volume === undefined) return
      const claim = await findClaim(context, volume, (key) => claims.get(key))
      await writer.perform(planVolume(volume, claim, view.now), signal)
      // A reserved volume may be what its claim waits for.
      if (claim && !claim.spec.volumeName) queue.mark(`c ${keyOf(claim)}`)
    })

    const markUnbound = () => {
      for (const claim of claims.values()) if (claim.status?.phase !== 'Bound') queue.mark(`c ${keyOf(claim)}`)
    }
    claims.listen(({ kind, key, value }) => {
      if (kind !== 'removed') queue.mark(`c ${key}`)
      // A volume that the claim held is released at once.
      if (value.spec.volumeName) queue.mark(`v ${value.spec.volumeName}`)
    })
    volumes.listen(({ kind, key, value, old }) => {
      queue.mark(`v ${key}`)
      const { claimRef } = value.spec
      if (claimRef) queue.mark(`c ${claimRef.namespace}/${claimRef.name}`)
      if (kind !== 'removed' && value.status?.phase === 'Available' && old?.status?.phase !== 'Available') markUnbound()
    })
    classes.listen(markUnbound)
    // A claim says for which pods it waits.
    consumers.listen(({ value }) => {
      for (const key of claimsOf(value)) if (claims.get(key)?.status?.phase === 'Pending') queue.mark(`c ${key}`)
    })
    await caches.synced()
    await queue.run(signal)
  },
}

/** What the volume's reference names; before it counts as gone the server itself is asked. */
async function findClaim(
  { client, signal }: ControllerContext,
  { spec, status }: Volume,
  known: (key: string) => Claim | undefined,
): Promise<Claim | undefined> {
  const { claimRef } = spec
  if (!claimRef?.uid) return undefined
  const { namespace = '', name = '', uid } = claimRef
  const cached = known(`${namespace}/${name}`)
  const isOver = status?.phase === 'Released' || status?.phase === 'Failed'
  if (cached?.metadata.uid === uid || (cached === undefined && isOver)) return cached
  try {
    return stored(await client.get(persistentVolumeClaims, name, { namespace, signal }))
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}
