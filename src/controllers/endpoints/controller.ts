// effect: requests to the API server
// Endpoints: the older list of each Service's pods.

import { type Service, endpoints, pods, services } from '#api/core.ts'
import { keyOf } from '#api/object-key.ts'
import type { Stored } from '#api/stored.ts'
import { isConflict } from '#client/client.ts'
import { eventAbout } from '#client/control/act.ts'
import type { Controller } from '#controllers/controller.ts'
import { planEndpoints, planRemoval } from '#controllers/endpoints/plan.ts'
import { type Seen, triggerTime } from '#controllers/endpointslice/trigger-time.ts'
import { markServices, selectionOf } from '#controllers/selection.ts'
import { isNamespaceGoing } from '#client/control/writer.ts'
import { messageOf } from '#daemon/error.ts'

const name = 'endpoints-controller'

export const endpointsController: Controller = {
  name,
  alias: 'endpoint',
  async start(context) {
    const { caches, signal } = context
    const all = caches.of(services)
    const podStore = caches.of(pods)
    const store = caches.of(endpoints)
    const selection = selectionOf(all, podStore)
    const writer = context.writer('endpoint-controller')
    const seen = new Map<string, Seen>()

    const queue = context.queue('endpoint', 5, async (key) => {
      const service = all.get(key)
      const current = store.get(key)
      if (service === undefined) {
        seen.delete(key)
        return writer.perform(planRemoval(current), signal)
      }
      if (!hasEndpoints(service)) return
      const itsPods = selection.podsOf(service)
      const trigger = triggerTime(seen.get(key), service, itsPods)
      seen.set(key, trigger.seen)
      const acts = planEndpoints({ service, pods: itsPods, current, triggerTime: trigger.time })
      try {
        await writer.perform(acts, signal)
      } catch (error) {
        if (isNamespaceGoing(error)) return
        if (!isConflict(error) && !signal.aborted) {
          const { namespace, name } = service.metadata
          const [reason, message] =
            current === undefined
              ? ['FailedToCreateEndpoint', `Failed to create endpoint for service ${namespace}/${name}`]
              : ['FailedToUpdateEndpoint', `Failed to update endpoint ${namespace}/${name}`]
          await writer.perform([eventAbout(services, service, 'Warning', reason, `${message}: ${messageOf(error)}`)])
        }
        throw error
      }
    })
    all.listen(({ key }) => queue.mark(key))
    markServices(all, podStore, (service) => queue.mark(keyOf(service)))
    // Also finds what a Service that was deleted while nobody watched has left behind.
    store.listen(({ key }) => queue.mark(key))
    await caches.synced()
    await queue.run(signal)
  },
}

function hasEndpoints({ spec }: Stored<Service>): boolean {
  return spec.type !== 'ExternalName' && Object.keys(spec.selector ?? {}).length > 0
}
