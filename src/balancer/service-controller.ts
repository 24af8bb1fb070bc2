// effect: requests to the API server, and what a provider does
// The service controller: sees to it that each Service of type LoadBalancer has what it asks a provider for.

import { nodes as nodeResource, type Service, services } from '#api/core.ts'
import { keyOf } from '#api/object-key.ts'
import type { Stored } from '#api/stored.ts'
import { isBackend } from '#balancer/backends.ts'
import { type Served, serves } from '#balancer/provider.ts'
import {
  addFinalizer,
  fingerprintOf,
  type Made,
  planStep,
  removeFinalizer,
  said,
  saying,
  writeIngress,
} from '#balancer/service-plan.ts'
import type { Controller, ControllerContext } from '#client/control/controller.ts'
import type { Writer } from '#client/control/writer.ts'
import { messageOf } from '#daemon/error.ts'
import { compareText } from '#lib/sort.ts'

/** A controller for each provider, so that a slow one holds nobody up. `makeProvider` is given the caches. */
export function serviceController<Settings>(
  makeServed: (context: ControllerContext<Settings>) => Served,
): Controller<Settings> {
  const name = 'service-lb-controller'
  return {
    name,
    alias: 'service',
    async start(context) {
      const { caches, signal } = context
      const all = caches.of(services)
      const machines = caches.of(nodeResource)
      const writer = context.writer('service-controller')
      const served = makeServed(context)
      const made = new Map<string, Made>()
      const backends = () =>
        [...machines.values()].filter(isBackend).sort((a, b) => compareText(a.metadata.name, b.metadata.name))

      const queue = context.queue('service', 1, async (key) => {
        const service = all.get(key)
        if (service === undefined) return void made.delete(key)
        const nodes = backends()
        const names = nodes.map(({ metadata }) => metadata.name)
        const isServed = serves(served, service) || made.has(key)
        const step = planStep(service, made.get(key), names, isServed)
        const { provider } = served
        switch (step.kind) {
          case 'nothing':
            return
          case 'delete': {
            await failing(writer, service, said.syncFailed, async () => {
              if ((await provider.get(service)) === undefined) return
              await writer.perform([saying(service, said.deleting)], signal)
              await provider.ensureDeleted(service)
            })
            made.delete(key)
            const clear = step.why === 'not wanted' ? writeIngress(service, []) : []
            return writer.perform([...clear, ...removeFinalizer(service), saying(service, said.deleted)], signal)
          }
          case 'ensure': {
            const before = nodes.length === 0 ? [saying(service, said.noNodes)] : []
            const { ingress } = await failing(writer, service, said.syncFailed, async () => {
              await writer.perform([saying(service, said.ensuring), ...before, ...addFinalizer(service)], signal)
              return provider.ensure(all.get(key) ?? service, nodes)
            })
            await writer.perform([...writeIngress(all.get(key) ?? service, ingress), saying(service, said.ensured)])
            return void made.set(key, { fingerprint: fingerprintOf(service), nodes: names })
          }
          case 'update': {
            const warning = nodes.length === 0 ? [saying(service, said.noNodes)] : []
            await failing(writer, service, said.updateFailed, () => provider.update(service, nodes))
            made.set(key, { fingerprint: fingerprintOf(service), nodes: names })
            return writer.perform([saying(service, said.updated), ...warning], signal)
          }
        }
      })

      all.listen(({ key, kind, value, old }) => {
        queue.mark(key)
        // What one gave back another may be waiting for.
        const isFreed = old !== undefined && hasAddress(old) && !hasAddress(value)
        if (kind === 'removed' || isFreed) for (const other of waiting(all.values())) queue.mark(other)
      })
      machines.listen(() => {
        for (const key of made.keys()) queue.mark(key)
      })
      await caches.synced()
      await queue.run(signal)
    },
  }
}

const hasAddress = ({ status }: Stored<Service>): boolean => (status?.loadBalancer?.ingress ?? []).length > 0

/** Those without an address. */
const waiting = (all: Iterable<Stored<Service>>): readonly string[] =>
  [...all].filter((service) => service.spec.type === 'LoadBalancer' && !hasAddress(service)).map(keyOf)

/** A failure is told to whoever looks at the Service, and then handled as any. */
async function failing<T>(
  writer: Writer,
  service: Stored<Service>,
  saidOf: typeof said.syncFailed,
  act: () => Promise<T>,
): Promise<T> {
  try {
    return await act()
  } catch (error) {
    await writer.perform([saying(service, saidOf(messageOf(error)))])
    throw error
  }
}
