// effect: list and watch requests, writes to the API server, the data plane
// Keeps the data plane at what Ingresses, Services, EndpointSlices and Secrets say, and tells of what cannot be served.

import { secrets, services } from '#api/core.ts'
import { type EndpointSlice, endpointSlices } from '#api/discovery.ts'
import { ingressClasses, ingresses } from '#api/networking.ts'
import { eventAbout } from '#client/control/act.ts'
import type { Controller, ControllerContext } from '#client/control/controller.ts'
import { createLoop } from '#daemon/loop.ts'
import { secondsBuckets } from '#daemon/metrics.ts'
import { type Certificates, textOf } from '#ingress/certificates.ts'
import type { DataPlane } from '#ingress/haproxy/data-plane.ts'
import { NameResolver } from '#ingress/name-resolver.ts'
import type { IngressState, ObjectChange } from '#ingress/state.ts'
import { IngressTable } from '#ingress/table.ts'
import { readUsers } from '#ingress/users.ts'

export type ControllerOptions = {
  readonly certificates: Certificates
  /** `mark` makes the controller apply its table again */
  openDataPlane(mark: () => void): DataPlane
  /** whether this process writes; another replica does where not */
  readonly writes: { readonly leading: boolean }
  /** Told when the data plane has a table: the Ingresses that are served now, and those that have come or gone. */
  onServed(served: Served, changed: ReadonlySet<string>): void
}
export type Served = { has(key: string): boolean }

/** How often servers without a Service are looked at: whether their last connection has ended. */
const sweepMs = 1000
/** How long requests may go on after the end was asked for. */
const stopMs = 8000

export function ingressController(options: ControllerOptions): Controller<undefined> {
  return {
    name: 'ingress-controller',
    async start(context) {
      const { clock, log, registry, signal } = context
      const resolver = new NameResolver({
        clock,
        log,
        signal,
        isUsed: (name) => table.asksFor(name),
        onChange: (key) => mark({ kind: 'addresses', key }),
      })
      const { state, listen } = observe(context, options.certificates, resolver)
      const table = new IngressTable(state)
      const tell = teller(context, options.writes, table, state)
      const routes = registry.gauge('fairway_ingress_routes', 'Routes that are served.')
      const took = registry.histogram(
        'fairway_ingress_apply_seconds',
        'From the first change that was seen until the proxy had it and those that came with it.',
        secondsBuckets,
      )
      const dataPlane = options.openDataPlane(() => loop.mark('proxy'))
      const changes: ObjectChange[] = [{ kind: 'all' }]
      let firstMarkMs: number | undefined
      const mark = (change: ObjectChange) => {
        firstMarkMs ??= clock.monotonicMs()
        changes.push(change)
        loop.mark('objects')
      }
      const served = new Set<string>()

      const serve = async () => {
        const sinceMs = firstMarkMs
        firstMarkMs = undefined
        const change = table.update(changes.splice(0))
        for (const key of change.told) tell.about(key)
        for (const key of change.served) served.add(key)
        await dataPlane.apply(table, change)
        routes.set(table.routes.size)
        if (sinceMs !== undefined) took.observe((clock.monotonicMs() - sinceMs) / 1000)
        options.onServed(table.served, new Set(served))
        served.clear()
        tell.perform()
      }
      const act = async (keys: ReadonlySet<string>) => {
        if (keys.has('objects') || keys.has('proxy')) await serve()
        // Not before the edit is served that has used up the last but few.
        if (dataPlane.isScarce) {
          if (keys.has('scarce')) await dataPlane.renew(table)
          else loop.mark('scarce')
        }
        if (keys.has('sweep')) await dataPlane.sweep()
        if (dataPlane.retiring > 0) sweepSoon()
      }
      let sweeping: (() => void) | undefined
      const sweepSoon = () => {
        sweeping ??= clock.after(sweepMs, () => {
          sweeping = undefined
          loop.mark('sweep')
        })
      }
      const loop = createLoop({ name: 'ingress', clock, log, act, backoffMs: { first: 100, most: 5000 } })
      await context.caches.synced()
      listen(mark)
      // A HAProxy that cannot be started at all is the end of this process.
      await act(new Set(['objects']))
      await loop.run(signal)
      sweeping?.()
      await dataPlane.stop(stopMs)
    },
  }
}

type Context = ControllerContext<undefined>

/** What the table reads, and what tells it of changes. */
function observe({ caches }: Context, certificates: Certificates, resolver: NameResolver) {
  const all = caches.of(ingresses)
  const classes = caches.of(ingressClasses)
  const named = caches.of(services)
  const slices = caches.of(endpointSlices)
  const slicesOf = slices.index((slice) => [serviceOf(slice)])
  const pems = caches.of(secrets)
  const state: IngressState = {
    ingresses: () => all.values(),
    ingress: (key) => all.get(key),
    classes: () => classes.values(),
    service: (key) => named.get(key),
    slices: (key) => slicesOf.of(key),
    secret: (key) => certificates.read(pems.get(key)),
    users: (key) => {
      const secret = pems.get(key)
      return secret && readUsers(textOf(secret, 'auth'))
    },
    addresses: (name) => resolver.addresses(name),
  }
  const listen = (mark: (change: ObjectChange) => void) => {
    all.listen(({ key }) => mark({ kind: 'ingress', key }))
    classes.listen(() => mark({ kind: 'all' }))
    named.listen(({ key }) => mark({ kind: 'service', key }))
    slices.listen(({ value, old }) => {
      mark({ kind: 'slices', key: serviceOf(value) })
      if (old !== undefined && serviceOf(old) !== serviceOf(value)) mark({ kind: 'slices', key: serviceOf(old) })
    })
    pems.listen(({ key }) => mark({ kind: 'secret', key }))
  }
  return { state, listen }
}

const serviceOf = ({ metadata }: EndpointSlice): string =>
  `${metadata?.namespace}/${metadata?.labels?.['kubernetes.io/service-name'] ?? ''}`

/** Events about what cannot be served, each once as long as it holds. */
function teller(context: Context, writes: { readonly leading: boolean }, table: IngressTable, state: IngressState) {
  const writer = context.writer('fairway-ingress')
  const due = new Set<string>()
  const told = new Map<string, ReadonlySet<string>>()
  return {
    about: (key: string) => void due.add(key),
    perform() {
      if (!writes.leading) return
      const keys = [...due]
      due.clear()
      const acts = keys.flatMap((key) => {
        const problems = table.problemsOf(key)
        const ingress = state.ingress(key)
        const before = told.get(key)
        if (problems.length === 0 || ingress === undefined) {
          told.delete(key)
          return []
        }
        const { uid } = ingress.metadata
        told.set(key, new Set(problems.map(({ message }) => `${uid} ${message}`)))
        return problems
          .filter(({ message }) => !before?.has(`${uid} ${message}`))
          .map(({ reason, message }) => eventAbout(ingresses, ingress, 'Warning', reason, message))
      })
      void writer.perform(acts)
    },
  }
}
