// effect: requests to the API server
// Mirrors Endpoints that people write for Services without a selector into EndpointSlices, which is what proxies read.

import { endpoints, services } from '#api/core.ts'
import { type EndpointSlice, endpointSlices } from '#api/discovery.ts'
import type { Stored } from '#api/stored.ts'
import type { Controller } from '#controllers/controller.ts'
import { mirroredBy, planMirror } from '#controllers/endpointslice-mirroring/plan.ts'
import { managedByLabel, serviceNameLabel } from '#controllers/endpointslice/slice.ts'
import { isNamespaceGoing } from '#client/control/writer.ts'

const name = 'endpointslice-mirroring-controller'

export const endpointSliceMirroringController: Controller = {
  name,
  alias: 'endpointslicemirroring',
  async start(context) {
    const { caches, signal } = context
    const serviceStore = caches.of(services)
    const store = caches.of(endpoints)
    const sliceStore = caches.of(endpointSlices)
    const slicesOf = sliceStore.index((slice) => (isOurs(slice) ? [serviceKey(slice)] : []))
    const writer = context.writer(name)
    const queue = context.queue('endpoint_slice_mirroring', 2, async (key) => {
      const slices = slicesOf.of(key).filter(({ metadata }) => metadata.deletionTimestamp === undefined)
      try {
        await writer.perform(planMirror({ endpoints: store.get(key), service: serviceStore.get(key), slices }), signal)
      } catch (error) {
        if (!isNamespaceGoing(error)) throw error
      }
    })
    store.listen(({ key }) => queue.mark(key))
    serviceStore.listen(({ key, value, old }) => {
      const hasNone = (service: typeof value | undefined) => Object.keys(service?.spec.selector ?? {}).length === 0
      if (hasNone(value) || (old !== undefined && hasNone(old))) queue.mark(key)
    })
    sliceStore.listen(({ value, old }) => {
      for (const slice of old === undefined ? [value] : [value, old]) if (isOurs(slice)) queue.mark(serviceKey(slice))
    })
    await caches.synced()
    await queue.run(signal)
  },
}

const isOurs = (slice: EndpointSlice): boolean => slice.metadata?.labels?.[managedByLabel] === mirroredBy

function serviceKey({ metadata }: Stored<EndpointSlice>): string {
  return `${metadata.namespace}/${metadata.labels?.[serviceNameLabel] ?? ''}`
}
