// effect: requests to the API server
// Keeps claims and volumes that are in use.

import { persistentVolumeClaims, persistentVolumes, pods } from '#api/core.ts'
import { stored } from '#api/stored.ts'
import type { Controller } from '#controllers/controller.ts'
import { claimsOf } from '#controllers/volume-binder/claims-of.ts'
import { planClaimProtection, planVolumeProtection } from '#controllers/volume-protection/plan.ts'

export const claimProtectionController: Controller = {
  name: 'persistentvolumeclaim-protection-controller',
  alias: 'pvc-protection',
  async start(context) {
    const { caches, client, signal } = context
    const claims = caches.of(persistentVolumeClaims)
    const users = caches.of(pods)
    const byClaim = users.index(claimsOf)
    const writer = context.writer('persistentvolumeclaim-protection-controller')
    const queue = context.queue('pvcs', 1, async (key) => {
      const claim = claims.get(key)
      if (claim === undefined) return
      const isUsed = () => byClaim.of(key).some(({ spec }) => Boolean(spec.nodeName))
      const { namespace } = claim.metadata
      // The cache may not know the newest pod; once the finalizer is gone it is too late.
      const isReallyUsed = async () => {
        if (claim.metadata.deletionTimestamp === undefined || isUsed()) return isUsed()
        const { items } = await client.list(pods, { namespace, signal })
        return items.some((pod) => pod.spec?.nodeName && claimsOf(stored(pod)).includes(key))
      }
      await writer.perform(planClaimProtection(claim, Boolean(await isReallyUsed())), signal)
    })
    claims.listen(({ kind, key }) => {
      if (kind !== 'removed') queue.mark(key)
    })
    users.listen(({ value }) => {
      for (const key of claimsOf(value)) if (claims.get(key)?.metadata.deletionTimestamp !== undefined) queue.mark(key)
    })
    await caches.synced()
    await queue.run(signal)
  },
}

export const volumeProtectionController: Controller = {
  name: 'persistentvolume-protection-controller',
  alias: 'pv-protection',
  async start(context) {
    const { caches, signal } = context
    const volumes = caches.of(persistentVolumes)
    const writer = context.writer('persistentvolume-protection-controller')
    const queue = context.queue('pvs', 1, async (key) => {
      const volume = volumes.get(key)
      if (volume) await writer.perform(planVolumeProtection(volume), signal)
    })
    volumes.listen(({ kind, key }) => {
      if (kind !== 'removed') queue.mark(key)
    })
    await caches.synced()
    await queue.run(signal)
  },
}
