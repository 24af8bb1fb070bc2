// effect: writes to the API server
// Tells in each Ingress's status where it is reached: at the addresses of the Service that this controller is behind.

import { services } from '#api/core.ts'
import type { Ingress } from '#api/networking.ts'
import { ingresses } from '#api/networking.ts'
import type { Stored } from '#api/stored.ts'
import { writeStatus } from '#client/control/act.ts'
import type { Controller } from '#client/control/controller.ts'
import { equalJson } from '#lib/equal.ts'

type Address = { readonly ip?: string; readonly hostname?: string }

export type StatusOptions = {
  /** `NAMESPACE/NAME`; undefined: the addresses are given */
  readonly publishService: string | undefined
  readonly publishAddresses: readonly Address[]
  /** whether this process writes; another replica does where not */
  readonly writes: { readonly leading: boolean }
  /** those that are served, as last applied; undefined: nothing was applied yet */
  served(): { has(key: string): boolean } | undefined
  /** called when `served` or `writes` has changed; `keys`: for these Ingresses only */
  onChange(listener: (keys?: Iterable<string>) => void): void
}

export function statusController(options: StatusOptions): Controller<undefined> {
  return {
    name: 'ingress-status-controller',
    async start(context) {
      const { caches, signal } = context
      const all = caches.of(ingresses)
      const own = options.publishService === undefined ? undefined : caches.of(services)
      const writer = context.writer('fairway-ingress')
      const addresses = (): readonly Address[] =>
        own === undefined ? options.publishAddresses : addressesOf(own.get(options.publishService!)?.status)
      const queue = context.queue('ingress_status', 4, async (key) => {
        const ingress = all.get(key)
        const served = options.served()
        if (ingress === undefined || served === undefined || !options.writes.leading) return
        const wanted = served.has(key) ? addresses() : withdrawn(ingress, addresses())
        await writer.perform(planStatus(ingress, wanted), signal)
      })
      const markAll = () => {
        for (const { metadata } of all.values()) queue.mark(`${metadata.namespace}/${metadata.name}`)
      }
      all.listen(({ key }) => queue.mark(key))
      own?.listen(({ key }) => {
        if (key === options.publishService) markAll()
      })
      options.onChange((keys) => {
        if (keys === undefined) return markAll()
        for (const key of keys) queue.mark(key)
      })
      await caches.synced()
      await queue.run(signal)
    },
  }
}

export const addressesOf = (
  status: { readonly loadBalancer?: { readonly ingress?: readonly Address[] } } | undefined,
) => (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => (ip ? { ip } : { hostname: hostname! }))

export function planStatus(ingress: Stored<Ingress>, addresses: readonly Address[]) {
  const now = addressesOf(ingress.status)
  return equalJson(now, addresses) ? [] : writeStatus(ingresses, ingress, { loadBalancer: { ingress: addresses } })
}

/** What stays in the status of an Ingress that is not ours: all but what we had written when it was. */
const withdrawn = (ingress: Stored<Ingress>, addresses: readonly Address[]): readonly Address[] => {
  const now = addressesOf(ingress.status)
  return equalJson(now, addresses) ? [] : now
}
