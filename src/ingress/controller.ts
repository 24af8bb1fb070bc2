// effect: list and watch requests, writes to the API server, the data plane
// Keeps the data plane at what Ingresses, Services, EndpointSlices and Secrets say, and tells of what cannot be served.

import { secrets, services } from '#api/core.ts'
import { endpointSlices } from '#api/discovery.ts'
import { ingressClasses, ingresses } from '#api/networking.ts'
import { eventAbout } from '#client/control/act.ts'
import type { Controller } from '#client/control/controller.ts'
import { createLoop } from '#daemon/loop.ts'
import { secondsBuckets } from '#daemon/metrics.ts'
import type { Certificates } from '#ingress/certificates.ts'
import type { DataPlane } from '#ingress/haproxy/data-plane.ts'
import { type IngressPlan, plan, type Problem } from '#ingress/plan.ts'

export type ControllerOptions = {
  readonly certificates: Certificates
  /** `mark` makes the controller apply its plan again */
  openDataPlane(mark: () => void): DataPlane
  /** whether this process writes; another replica does where not */
  readonly writes: { readonly leading: boolean }
  onPlan(plan: IngressPlan): void
}

/** How often servers without a Service are looked at: whether their last connection has ended. */
const sweepMs = 1000

export function ingressController(options: ControllerOptions): Controller<undefined> {
  return {
    name: 'ingress-controller',
    async start(context) {
      const { caches, clock, log, registry, signal } = context
      const all = caches.of(ingresses)
      const classes = caches.of(ingressClasses)
      const services_ = caches.of(services)
      const slices = caches.of(endpointSlices)
      const secrets_ = caches.of(secrets)
      const slicesOf = slices.index(({ metadata }) => [
        `${metadata.namespace}/${metadata.labels?.['kubernetes.io/service-name'] ?? ''}`,
      ])
      const writer = context.writer('fairway-ingress')
      const routes = registry.gauge('fairway_ingress_routes', 'Routes that are served.')
      const took = registry.histogram(
        'fairway_ingress_apply_seconds',
        'From the first change that was seen until the proxy had it and those that came with it.',
        secondsBuckets,
      )
      let firstMarkMs: number | undefined
      const mark = (key: string) => {
        firstMarkMs ??= clock.monotonicMs()
        loop.mark(key)
      }
      const dataPlane = options.openDataPlane(() => mark('proxy'))
      let told = new Set<string>()

      const tell = (problems: readonly Problem[]) => {
        if (!options.writes.leading) return
        const now = new Map(problems.map((problem) => [`${problem.ingress.metadata.uid} ${problem.message}`, problem]))
        const fresh = [...now].filter(([key]) => !told.has(key)).map(([, problem]) => problem)
        told = new Set(now.keys())
        const acts = fresh.map(({ ingress, reason, message }) =>
          eventAbout(ingresses, ingress, 'Warning', reason, message),
        )
        void writer.perform(acts)
      }

      const act = async (keys: ReadonlySet<string>) => {
        if (keys.size > 1 || !keys.has('sweep')) {
          const sinceMs = firstMarkMs
          firstMarkMs = undefined
          const next = plan({
            ingresses: all.values(),
            classes: classes.values(),
            service: (key) => services_.get(key),
            slices: (key) => slicesOf.of(key),
            secret: (key) => options.certificates.read(secrets_.get(key)),
          })
          await dataPlane.apply(next.table)
          routes.set(next.table.routes.length)
          if (sinceMs !== undefined) took.observe((clock.monotonicMs() - sinceMs) / 1000)
          options.onPlan(next)
          tell(next.problems)
        }
        await dataPlane.sweep()
        if (dataPlane.retiring > 0) clock.after(sweepMs, () => loop.mark('sweep'))
      }
      const loop = createLoop({ name: 'ingress', clock, log, act, backoffMs: { first: 100, most: 5000 } })
      await caches.synced()
      for (const store of [all, classes, services_, slices, secrets_]) store.listen(({ key }) => mark(key))
      // A HAProxy that cannot be started at all is the end of this process.
      await act(new Set(['start']))
      await loop.run(signal)
      await dataPlane.stop(stopMs)
    },
  }
}

/** How long requests may go on after the end was asked for. */
const stopMs = 8000
