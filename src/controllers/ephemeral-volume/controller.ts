// effect: requests to the API server
// Makes the claims of pods' generic ephemeral volumes. They go with their pod, which owns them.

import { persistentVolumeClaims, pods } from '#api/core.ts'
import { controllerOf } from '#api/owner.ts'
import { isAlreadyExists } from '#client/client.ts'
import type { Controller } from '#controllers/controller.ts'
import { planEphemeral } from '#controllers/ephemeral-volume/plan.ts'

export const ephemeralVolumeController: Controller = {
  name: 'ephemeral-volume-controller',
  alias: 'ephemeral-volume',
  async start(context) {
    const { caches, signal } = context
    const users = caches.of(pods)
    const claims = caches.of(persistentVolumeClaims)
    const writer = context.writer('ephemeral_volume')
    const queue = context.queue('ephemeral_volume', 2, async (key) => {
      const pod = users.get(key)
      if (pod === undefined) return
      const { acts, failure } = planEphemeral(pod, (name) => claims.get(`${pod.metadata.namespace}/${name}`))
      await writer.perform(acts, signal).catch((error: unknown) => {
        // The cache may not know of it yet; the claim itself comes back here.
        if (!isAlreadyExists(error)) throw error
      })
      if (failure !== undefined) throw new Error(failure)
    })
    users.listen(({ kind, key, value }) => {
      if (kind !== 'removed' && value.spec.volumes?.some(({ ephemeral }) => ephemeral !== undefined)) queue.mark(key)
    })
    claims.listen(({ kind, value }) => {
      const owner = controllerOf(value)
      // One that was deleted by somebody is made again, as long as its pod is there.
      if (kind === 'removed' && owner?.kind === 'Pod') queue.mark(`${value.metadata.namespace}/${owner.name}`)
    })
    await caches.synced()
    await queue.run(signal)
  },
}
