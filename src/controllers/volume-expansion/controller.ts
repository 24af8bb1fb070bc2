// effect: requests to the API server
// Tells that a claim waits for whoever can make its volume larger.

import { persistentVolumeClaims, persistentVolumes } from '#api/core.ts'
import type { Controller } from '#controllers/controller.ts'
import { planExpansion } from '#controllers/volume-expansion/plan.ts'

export const volumeExpansionController: Controller = {
  name: 'persistentvolume-expander-controller',
  alias: 'persistentvolume-expander',
  async start(context) {
    const { caches, signal } = context
    const claims = caches.of(persistentVolumeClaims)
    const volumes = caches.of(persistentVolumes)
    const writer = context.writer('volume_expand')
    const queue = context.queue('volume_expand', 1, async (key) => {
      const claim = claims.get(key)
      if (claim?.spec.volumeName) await writer.perform(planExpansion(claim, volumes.get(claim.spec.volumeName)), signal)
    })
    claims.listen(({ kind, key, value, old }) => {
      const asked = (claim = value) => claim.spec.resources?.requests?.['storage']
      if (kind === 'changed' && old !== undefined && asked() !== asked(old)) queue.mark(key)
    })
    await caches.synced()
    await queue.run(signal)
  },
}
