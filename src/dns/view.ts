// effect: watches the API server
import type { Client } from '#client/client.ts'
import { UserError } from '#daemon/error.ts'
import type { PartContext } from '#daemon/part.ts'
import type { KubernetesConfig, ServerConfig } from '#dns/corefile/config.ts'
import { observeObjects } from '#dns/objects.ts'
import { Zone, type ZoneChange } from '#dns/zone.ts'

export type Kubeconfig = NonNullable<KubernetesConfig['kubeconfig']>

/** Which objects a Corefile wants to see. */
export type Watched = Pick<KubernetesConfig, 'labels' | 'kubeconfig' | 'namespaces'> & {
  readonly pods: boolean
  /** milliseconds */
  readonly startupTimeoutMs: number
}

/** One cluster's objects, as long as they are wanted. */
export type View = {
  readonly zone: Zone
  /** of what it was made: another one needs another view */
  readonly watched: Watched | undefined
  /** resolves when all has been seen once */
  readonly synced: Promise<void>
  close(): void
}

/** What the `kubernetes` lines of all blocks want together; undefined where there is none. */
export function watchedBy(configs: readonly ServerConfig[]): Watched | undefined {
  const [first, ...others] = configs.flatMap(({ kubernetes }) => (kubernetes === undefined ? [] : [kubernetes]))
  if (first === undefined) return undefined
  const source = ({ labels, kubeconfig }: KubernetesConfig) => JSON.stringify([labels, kubeconfig])
  if (others.some((other) => source(other) !== source(first)))
    throw new UserError('the kubernetes lines of this Corefile have different labels or kubeconfigs', {
      code: 'ManyViews',
      remedy: 'run one fairway dns for each of them',
    })
  const all = [first, ...others]
  return {
    ...(first.labels === undefined ? {} : { labels: first.labels }),
    ...(first.kubeconfig === undefined ? {} : { kubeconfig: first.kubeconfig }),
    namespaces: all.some(({ namespaces }) => namespaces.length === 0)
      ? []
      : [...new Set(all.flatMap(({ namespaces }) => namespaces))],
    pods: all.some(({ pods }) => pods === 'verified'),
    startupTimeoutMs: Math.max(...all.map(({ startupTimeoutMs }) => startupTimeoutMs)),
  }
}

export const isSameView = (a: Watched | undefined, b: Watched | undefined): boolean => {
  const key = (watched: Watched | undefined) => JSON.stringify({ ...watched, startupTimeoutMs: 0 })
  return key(a) === key(b)
}

/** How long a change of endpoints took to get here, where its controller says when it began. Lists at the start do not count. */
export function programmedBy(zone: Zone, change: ZoneChange, nowMs: number) {
  if (!zone.synced || change.kind !== 'slice' || change.value?.triggeredMs === undefined) return undefined
  const service = zone.service(`${change.value.namespace}/${change.value.service}`)
  if (service === undefined || service.kind === 'alias') return undefined
  return {
    service: service.kind === 'headless' ? ('headless_with_selector' as const) : ('cluster_ip' as const),
    tookMs: Math.max(0, nowMs - change.value.triggeredMs),
  }
}

/** Starts to observe; `onChange` is called after the zone has taken a change, with the Services that it touches. */
export function openView(
  watched: Watched | undefined,
  o: Pick<PartContext, 'clock' | 'log'> & {
    client(kubeconfig: Kubeconfig | undefined): Client
    onChange(zone: Zone, change: ZoneChange | undefined, touched: readonly string[]): void
  },
): View {
  const zone = new Zone()
  const ended = new AbortController()
  const sync = Promise.withResolvers<void>()
  const close = () => ended.abort()
  if (watched === undefined) {
    zone.synced = true
    return { zone, watched, synced: Promise.resolve(), close }
  }
  observeObjects(o.client(watched.kubeconfig), {
    ...watched,
    signal: ended.signal,
    log: o.log,
    onChange(change) {
      zone.serial = Math.floor(o.clock.now() / 1000)
      o.onChange(zone, change, zone.apply(change))
    },
    onSync() {
      zone.synced = true
      o.onChange(zone, undefined, [])
      o.log.info('Synced with the API server')
      sync.resolve()
    },
  })
  return { zone, watched, synced: sync.promise, close }
}
