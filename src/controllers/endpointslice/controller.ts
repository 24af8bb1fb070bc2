// effect: requests to the API server
// EndpointSlices: tells proxies and DNS where the pods of each Service are. A change of a pod is written at once; what
// changes while a write is on its way goes together into the next one.

import { type Service, nodes, pods, services } from '#api/core.ts'
import { type EndpointSlice, endpointSlices } from '#api/discovery.ts'
import { keyOf } from '#api/object-key.ts'
import type { Stored } from '#api/stored.ts'
import { isConflict } from '#client/client.ts'
import { eventAbout } from '#client/control/act.ts'
import type { Controller } from '#controllers/controller.ts'
import { planEndpointSlices } from '#controllers/endpointslice/plan.ts'
import { managedBy, managedByLabel, serviceNameLabel } from '#controllers/endpointslice/slice.ts'
import { type Seen, triggerTime } from '#controllers/endpointslice/trigger-time.ts'
import { markServices, selectionOf } from '#controllers/selection.ts'
import { isNamespaceGoing } from '#client/control/writer.ts'
import { messageOf } from '#daemon/error.ts'

const name = 'endpointslice-controller'
const zoneLabel = 'topology.kubernetes.io/zone'

export const endpointSliceController: Controller = {
  name,
  alias: 'endpointslice',
  async start(context) {
    const { caches, signal, settings } = context
    const all = caches.of(services)
    const podStore = caches.of(pods)
    const nodeStore = caches.of(nodes)
    const sliceStore = caches.of(endpointSlices)
    const slicesOf = sliceStore.index((slice) => (isOurs(slice) ? [serviceKey(slice)] : []))
    const selection = selectionOf(all, podStore)
    const writer = context.writer(name)
    const seen = new Map<string, Seen>()
    /** Services with pods on a node that is not known (yet) */
    const waiting = new Set<string>()

    const queue = context.queue('endpoint_slice', 5, async (key) => {
      const service = all.get(key)
      waiting.delete(key)
      if (service === undefined) return void seen.delete(key)
      if (!hasSlices(service)) return
      const itsPods = selection.podsOf(service)
      const trigger = triggerTime(seen.get(key), service, itsPods)
      seen.set(key, trigger.seen)
      const { acts, withoutNode } = planEndpointSlices({
        service,
        pods: itsPods,
        nodeNamed: (node) => nodeStore.get(node),
        slices: slicesOf.of(key).filter(({ metadata }) => metadata.deletionTimestamp === undefined),
        triggerTime: trigger.time,
        maxPerSlice: settings.maxEndpointsPerSlice,
      })
      if (withoutNode.length > 0) waiting.add(key)
      try {
        await writer.perform(acts, signal)
      } catch (error) {
        if (isNamespaceGoing(error)) return
        if (!isConflict(error) && !signal.aborted) {
          const { namespace, name } = service.metadata
          const message = `Error updating Endpoint Slices for Service ${namespace}/${name}: ${messageOf(error)}`
          await writer.perform([eventAbout(services, service, 'Warning', 'FailedToUpdateEndpointSlices', message)])
        }
        throw error
      }
    })
    all.listen(({ key }) => queue.mark(key))
    markServices(all, podStore, (service) => queue.mark(keyOf(service)))
    sliceStore.listen(({ value, old }) => {
      for (const slice of old === undefined ? [value] : [value, old]) if (isOurs(slice)) queue.mark(serviceKey(slice))
    })
    nodeStore.listen(({ kind, value, old }) => {
      if (kind === 'added') for (const key of waiting) queue.mark(key)
      const isMoved = kind === 'changed' && old?.metadata.labels?.[zoneLabel] !== value.metadata.labels?.[zoneLabel]
      if (isMoved) for (const service of all.values()) queue.mark(keyOf(service))
    })
    await caches.synced()
    await queue.run(signal)
  },
}

/** Services without a selector have the slices that people write for them. */
function hasSlices({ spec }: Stored<Service>): boolean {
  return spec.type !== 'ExternalName' && Object.keys(spec.selector ?? {}).length > 0
}

const isOurs = (slice: EndpointSlice): boolean => slice.metadata?.labels?.[managedByLabel] === managedBy

function serviceKey({ metadata }: Stored<EndpointSlice>): string {
  return `${metadata.namespace}/${metadata.labels?.[serviceNameLabel] ?? ''}`
}
