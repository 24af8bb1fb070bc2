// effect: watches the API server
import { namespaces, pods, services } from '#api/core.ts'
import { endpointSlices } from '#api/discovery.ts'
import type { Client } from '#client/client.ts'
import { informer } from '#client/informer.ts'
import type { Logger } from '#daemon/log.ts'
import { viewNamespace, viewPod, viewService, viewSlice } from '#dns/state.ts'
import type { ZoneChange } from '#dns/zone.ts'

/**
 * Feeds every change of the objects that names rest on, cut down to their views; `onSync` once all were listed. Asks
 * for no more than list and watch of services, endpointslices, namespaces and, where pod names are verified, pods.
 */
export function observeObjects(
  client: Client,
  o: {
    readonly pods: boolean
    readonly labels?: string | undefined
    readonly signal: AbortSignal
    readonly log: Logger
    onChange(change: ZoneChange): void
    onSync(): void
  },
): void {
  const base = { signal: o.signal, log: o.log }
  const feed =
    <V>(kind: ZoneChange['kind']) =>
    (change: { readonly kind: string; readonly key: string; readonly value: V }) =>
      o.onChange({ kind, key: change.key, value: change.kind === 'removed' ? undefined : change.value } as ZoneChange)
  const synced = [
    informer(client, namespaces, { ...base, slim: viewNamespace, onChange: feed('namespace') }).synced,
    informer(client, services, {
      ...base,
      ...(o.labels === undefined ? {} : { labelSelector: o.labels }),
      slim: viewService,
      onChange: feed('service'),
    }).synced,
    informer(client, endpointSlices, { ...base, slim: viewSlice, onChange: feed('slice') }).synced,
    ...(o.pods ? [informer(client, pods, { ...base, slim: viewPod, onChange: feed('pod') }).synced] : []),
  ]
  void Promise.all(synced).then(() => o.onSync())
}
