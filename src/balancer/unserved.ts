// effect: requests to the API server
// Says so where nobody makes a Service's load balancer, which Kubernetes leaves as "<pending>" without a word.

import { type Service, services } from '#api/core.ts'
import type { Stored } from '#api/stored.ts'
import { cleanupFinalizer } from '#balancer/service-plan.ts'
import { type Act, eventAbout } from '#client/control/act.ts'
import type { Controller } from '#client/control/controller.ts'

/** Whoever serves the class has this long to say anything. */
export const patienceMs = 10_000

export const unservedController: Controller<unknown> = {
  name: 'unserved-load-balancer-controller',
  async start(context) {
    const { caches, signal } = context
    const all = caches.of(services)
    const writer = context.writer('service-controller')
    const told = new Set<string>()
    const queue = context.queue('unserved_load_balancer', 1, async (key) => {
      const service = all.get(key)
      if (service === undefined || told.has(service.metadata.uid)) return
      await writer.perform(planUnserved(service), signal)
      if (isWaiting(service)) told.add(service.metadata.uid)
    })
    all.listen(({ kind, key, value }) => {
      if (kind === 'removed') told.delete(value.metadata.uid)
      else if (isWaiting(value)) queue.mark(key, patienceMs)
      // Served and then not any more: to be told of again.
      else told.delete(value.metadata.uid)
    })
    await caches.synced()
    await queue.run(signal)
  },
}

/** A finalizer means that a provider has taken it, and says itself what is wrong. */
const isWaiting = ({ metadata, spec, status }: Stored<Service>): boolean =>
  spec.type === 'LoadBalancer' &&
  metadata.deletionTimestamp === undefined &&
  !status?.loadBalancer?.ingress?.length &&
  !metadata.finalizers?.includes(cleanupFinalizer)

export function planUnserved(service: Stored<Service>): readonly Act[] {
  if (!isWaiting(service)) return []
  const wanted = service.spec.loadBalancerClass
  const message =
    wanted === undefined
      ? 'Nothing in this cluster makes load balancers: the address stays <pending>'
      : `Nothing in this cluster serves loadBalancerClass "${wanted}": the address stays <pending>`
  return [eventAbout(services, service, 'Warning', 'NoLoadBalancerProvider', message)]
}
