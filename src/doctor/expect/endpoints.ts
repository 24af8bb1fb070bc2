// Whoever stands behind a port of a Service, as its EndpointSlices say (Kubernetes' documentation of EndpointSlice
// conditions, topology aware routing and traffic policies).

import type { Service } from '#api/core.ts'
import type { EndpointSlice } from '#api/discovery.ts'
import { canonicalIp, type Ip } from '#lib/ip.ts'

export type Backend = {
  readonly ip: Ip
  readonly port: number
  readonly ready: boolean
  /** answers although it is being ended */
  readonly serving: boolean
  readonly node: string | undefined
  readonly zones: readonly string[]
  readonly nodes: readonly string[]
}

type Port = NonNullable<NonNullable<Service['spec']>['ports']>[number]

export const serviceLabel = 'kubernetes.io/service-name'

type ByService = ReadonlyMap<string, readonly EndpointSlice[]>
const indexes = new WeakMap<readonly EndpointSlice[], ByService>()

/** The slices of each Service by `namespace/name`; sorted once for each list. */
export function slicesByService(slices: readonly EndpointSlice[]): ByService {
  const known = indexes.get(slices)
  if (known !== undefined) return known
  const found = new Map<string, EndpointSlice[]>()
  for (const slice of slices) {
    const name = slice.metadata?.labels?.[serviceLabel]
    if (name === undefined) continue
    const key = `${slice.metadata?.namespace ?? 'default'}/${name}`
    const list = found.get(key)
    if (list === undefined) found.set(key, [slice])
    else list.push(slice)
  }
  indexes.set(slices, found)
  return found
}

/** An address in two slices is one backend; it is as ready as the readiest says. */
export function backendsOf(
  slices: readonly EndpointSlice[],
  { name = '', protocol = 'TCP' }: Port,
  family: 4 | 6,
): Backend[] {
  const type = family === 4 ? 'IPv4' : 'IPv6'
  const found = new Map<string, Backend>()
  for (const slice of slices) {
    if (slice.addressType !== type) continue
    for (const port of slice.ports ?? []) {
      if ((port.name ?? '') !== name || (port.protocol ?? 'TCP') !== protocol || !port.port) continue
      for (const { addresses = [], conditions, nodeName, hints } of slice.endpoints ?? []) {
        const ip = canonicalIp(addresses[0] ?? '')
        if (ip === undefined) continue
        const ready = conditions?.ready !== false
        const backend: Backend = {
          ip,
          port: port.port,
          ready,
          serving: conditions?.terminating === true && conditions.serving !== false,
          node: nodeName,
          zones: (hints?.forZones ?? []).flatMap((zone) => zone.name ?? []),
          nodes: (hints?.forNodes ?? []).flatMap((node) => node.name ?? []),
        }
        const known = found.get(`${ip} ${port.port}`)
        if (known === undefined || (ready && !known.ready)) found.set(`${ip} ${port.port}`, backend)
      }
    }
  }
  return [...found.values()]
}

/** Ready ones; without any, those that still answer while they end. */
export function usable(backends: readonly Backend[]): readonly Backend[] {
  const ready = backends.filter((backend) => backend.ready)
  return ready.length > 0 ? ready : backends.filter(({ serving }) => serving)
}

/** What hints leave: they count only where each ready one has one, and one is for here. */
export function near(
  backends: readonly Backend[],
  here: { readonly node: string; readonly zone: string },
): readonly Backend[] {
  const byNode = backends.filter(({ nodes }) => nodes.includes(here.node))
  if (byNode.length > 0 && backends.every(({ nodes }) => nodes.length > 0)) return byNode
  const byZone = backends.filter(({ zones }) => zones.includes(here.zone))
  if (byZone.length > 0 && backends.every(({ zones }) => zones.length > 0)) return byZone
  return backends
}
