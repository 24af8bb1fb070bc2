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
    /** only objects of these are kept; empty: all */
    readonly namespaces: readonly string[]
    readonly signal: AbortSignal
    readonly log: Logger
    onChange(change: ZoneChange): void
    onSync(): void
  },
): void {
  const [only] = o.namespaces
  // One namespace alone can be watched alone: then a Role in it is enough.
  const namespace = o.namespaces.length === 1 ? only : undefined
  const base = { signal: o.signal, log: o.log }
  const within = { ...base, namespace, labelSelector: o.labels }
  const feed =
    <V>(kind: ZoneChange['kind']) =>
    (change: { readonly kind: string; readonly key: string; readonly value: V }) => {
      if (o.namespaces.length > 0 && !o.namespaces.includes(change.key.split('/')[0]!)) return
      o.onChange({ kind, key: change.key, value: change.kind === 'removed' ? undefined : change.value } as ZoneChange)
    }
  const synced = [
    informer(client, namespaces, { ...base, slim: viewNamespace, onChange: feed('namespace') }).synced,
    informer(client, services, { ...within, slim: viewService, onChange: feed('service') }).synced,
    informer(client, endpointSlices, { ...within, slim: viewSlice, onChange: feed('slice') }).synced,
    ...(o.pods ? [informer(client, pods, { ...within, slim: viewPod, onChange: feed('pod') }).synced] : []),
  ]
  void Promise.all(synced).then(
    () => o.onSync(),
    () => undefined,
  )
}
