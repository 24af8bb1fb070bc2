// effect: requests to the API server
// Lets ServiceCIDRs be used, and go once nothing depends on them.

import { ipAddresses, serviceCidrs } from '#api/networking.ts'
import type { Controller } from '#controllers/controller.ts'
import { planServiceCidr } from '#controllers/service-cidr/plan.ts'

const name = 'service-cidr-controller'

export const serviceCidrController: Controller = {
  name,
  async start(context) {
    const { caches, clock, signal } = context
    const ranges = caches.of(serviceCidrs)
    const addresses = caches.of(ipAddresses)
    const writer = context.writer(name)
    const queue = context.queue('service_cidr', 1, async (key) => {
      const range = ranges.get(key)
      if (range === undefined) return
      const { acts, againAfterMs } = planServiceCidr(range, ranges.values(), addresses.values(), clock.now())
      await writer.perform(acts, signal)
      if (againAfterMs !== undefined) queue.mark(key, againAfterMs)
    })
    const markThoseGoing = () => {
      for (const { metadata } of ranges.values())
        if (metadata.deletionTimestamp !== undefined) queue.mark(metadata.name)
    }
    ranges.listen(({ key }) => {
      queue.mark(key)
      markThoseGoing()
    })
    addresses.listen(({ kind }) => {
      if (kind === 'removed') markThoseGoing()
    })
    await caches.synced()
    await queue.run(signal)
  },
}
