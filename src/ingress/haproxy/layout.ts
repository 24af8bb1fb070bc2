// A routing table in HAProxy's own terms. Everything that an edit can change is in maps, in servers of numbered back
// ends, and in certificates: what the runtime API can change. The configuration itself stays as it is.

import type { Settings } from '#ingress/annotations.ts'
import { type Slots, slotName } from '#ingress/haproxy/slots.ts'
import { fnv32a } from '#lib/hash.ts'
import type { Backend, Protocol, RoutingTable, ServedCertificate, Target } from '#ingress/route.ts'

export const mapNames = ['exact', 'prefix', 'fallback'] as const
export type MapName = (typeof mapNames)[number]

export type Server = { readonly address: string; readonly port: number; readonly protocol: Protocol }

export type Layout = {
  readonly maps: Readonly<Record<MapName, ReadonlyMap<string, string>>>
  /** by the back end's name, then by the server's */
  readonly servers: ReadonlyMap<string, ReadonlyMap<string, Server>>
  /** by file name */
  readonly certificates: ReadonlyMap<string, ServedCertificate>
  readonly defaultCertificate: string | undefined
}

/** The only key of the map `fallback`. */
export const fallbackKey = '*'
/** The back end of routes that lead nowhere: it has no servers, and so answers 503. */
export const nowhere = 'nowhere'

export function layOut(table: RoutingTable, slots: Slots): Layout {
  const exact = new Map<string, string>()
  const prefix = new Map<string, string>()
  for (const route of table.routes)
    (route.match === 'exact' ? exact : prefix).set(`${route.host}${route.path}`, mapValue(route, slots))
  const fallback = new Map<string, string>()
  if (table.fallback !== undefined) fallback.set(fallbackKey, mapValue(table.fallback, slots))
  const servers = new Map<string, ReadonlyMap<string, Server>>()
  for (const backend of table.backends.values()) servers.set(slotName(slots, backend.key), serversOf(backend))
  const certificates = new Map([...table.certificates].map(([key, served]) => [fileOf(key, served.hosts), served]))
  return { maps: { exact, prefix, fallback }, servers, certificates, defaultCertificate: table.defaultCertificate }
}

/** The places of what a map's value says, from 1, as HAProxy's `field` counts. */
export const fields = { backend: 1, readTimeout: 2, tunnelTimeout: 3, bodyLimit: 4, redirect: 5, ingress: 6 } as const

function mapValue({ backend, settings, ingress }: Target, slots: Slots): string {
  const { readTimeoutMs, tunnelTimeoutMs, bodyLimitBytes, sslRedirect }: Settings = settings
  const name = backend === undefined ? nowhere : slotName(slots, backend)
  return [name, readTimeoutMs ?? 0, tunnelTimeoutMs ?? 0, bodyLimitBytes ?? 0, sslRedirect ? 1 : 0, ingress].join('|')
}

const serversOf = ({ endpoints, protocol }: Backend): ReadonlyMap<string, Server> =>
  new Map(endpoints.map(({ address, port }) => [`${address}:${port}`, { address, port, protocol }]))

/** Names of namespaces and Secrets have no underscore. For other hosts it is another file. */
const fileOf = (key: string, hosts: readonly string[]): string =>
  `${key.replace('/', '_')}_${fnv32a(hosts.join(' ')).toString(16)}.pem`

/** The words of a server's line, as the configuration and `add server` take them. */
export function serverWords({ address, port, protocol }: Server): string {
  const at = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
  const how = { http: '', h2c: ' proto h2', https: ' ssl verify none alpn h2,http/1.1' }[protocol]
  return `${at} weight 100 slowstart 10s pool-purge-delay 5s${how}`
}
