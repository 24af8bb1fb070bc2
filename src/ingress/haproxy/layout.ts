// A routing table in HAProxy's own terms. Everything that an edit can change is in one map, in servers of numbered back
// ends, and in certificates: what the runtime API can change. The configuration itself stays as it is.

import type { Settings } from '#ingress/annotations.ts'
import type { Slots } from '#ingress/haproxy/slots.ts'
import type { Backend, Protocol, Route, RoutingTable, ServedCertificate, Target } from '#ingress/route.ts'
import { routeKey } from '#ingress/route.ts'
import { fallbackRoute, type TableChange } from '#ingress/table.ts'
import { fnv32a } from '#lib/hash.ts'

export type Server = {
  readonly address: string
  readonly port: number
  readonly protocol: Protocol
  /** what it is asked for by TLS */
  readonly name?: string
}
export type Servers = ReadonlyMap<string, Server>

/** What HAProxy has, or shall have. */
export type Layout = {
  readonly map: Map<string, string>
  /** by the back end's name, then by the server's; back ends without servers are left out */
  readonly servers: Map<string, Servers>
  /** by `NAMESPACE/SECRET` */
  readonly certificates: Map<string, ServedCertificate>
  defaultCertificate: string | undefined
}

/** What is to be other than it is, each named by its key; undefined: gone. */
export type LayoutChange = {
  readonly map: ReadonlyMap<string, string | undefined>
  readonly servers: ReadonlyMap<string, Servers | undefined>
  readonly certificates: ReadonlyMap<string, ServedCertificate | undefined>
  readonly defaultCertificate: string | undefined
}

/** The back end of routes that lead nowhere: it has no servers, and so answers 503. */
export const nowhere = 'nowhere'

/** All of a table, whose back ends have their slots. */
export function layOut(table: RoutingTable, slots: Slots): Layout {
  const map = new Map([...table.routes.values()].map((route) => [mapKey(route), mapValue(route, slots)]))
  const { key, value } = lastEntry(table, slots)
  if (value !== undefined) map.set(key, value)
  const servers = new Map<string, Servers>()
  for (const backend of table.backends.values()) {
    const own = serversOf(backend)
    if (own !== undefined) servers.set(slots.find(backend.key)!, own)
  }
  return { map, servers, certificates: new Map(table.certificates), defaultCertificate: table.defaultCertificate }
}

/** The part of it that a change of the table is about. `freed`: back ends that were of Services that are gone. */
export function layOutChange(
  table: RoutingTable,
  { routes, backends, certificates }: TableChange,
  slots: Slots,
  freed: Iterable<string>,
): LayoutChange {
  const map = new Map<string, string | undefined>()
  for (const at of routes) {
    const route = table.routes.get(at)
    if (route !== undefined) map.set(mapKey(route), mapValue(route, slots))
    else if (at !== fallbackRoute) map.set(mapKeyOf(at), undefined)
  }
  if (routes.has(fallbackRoute) || routes.has(lastRoute)) {
    const { key, value } = lastEntry(table, slots)
    map.set(key, value)
  }
  const servers = new Map<string, Servers | undefined>()
  for (const name of freed) servers.set(name, undefined)
  for (const key of backends) {
    const backend = table.backends.get(key)
    if (backend !== undefined) servers.set(slots.find(key)!, serversOf(backend))
  }
  const named = new Map([...certificates].map((key) => [key, table.certificates.get(key)]))
  return { map, servers, certificates: named, defaultCertificate: table.defaultCertificate }
}

/** A layout after a change. */
export function applyChange(layout: Layout, change: LayoutChange): void {
  merge(layout.map, change.map)
  merge(layout.servers, change.servers)
  merge(layout.certificates, change.certificates)
  layout.defaultCertificate = change.defaultCertificate
}

function merge<T>(into: Map<string, T>, from: ReadonlyMap<string, T | undefined>): void {
  for (const [key, value] of from)
    if (value === undefined) into.delete(key)
    else into.set(key, value)
}

/**
 * The end of what is looked up: no request has this sign in its path. A request for `/foo` looks for the longest entry
 * that `HOST/foo/` and this sign begin with: that of an exact path has it, that of a prefix ends with a slash somewhere
 * before it.
 */
export const pathEnd = '\u0001'

const mapKey = ({ host, match, path }: Pick<Route, 'host' | 'match' | 'path'>): string =>
  `${host}${path}${match === 'exact' ? `/${pathEnd}` : ''}`

/** The same from a `routeKey`. */
function mapKeyOf(at: string): string {
  const [match = '', where = ''] = at.split(' ')
  return match === 'exact' ? `${where}/${pathEnd}` : where
}

/** What takes all that nothing else does has the place of this route, which does so too. */
const lastRoute = routeKey({ host: '', match: 'prefix', path: '/' })

function lastEntry(table: RoutingTable, slots: Slots): { key: string; value: string | undefined } {
  const target = table.routes.get(lastRoute) ?? table.fallback
  return { key: mapKeyOf(lastRoute), value: target && mapValue(target, slots) }
}

/** The places of what a map's value says, from 1, as HAProxy's `field` counts; settings only where there are any. */
export const fields = { backend: 1, ingress: 2, settings: 3 } as const
export const settingFields = { readTimeout: 1, tunnelTimeout: 2, bodyLimit: 3, redirect: 4 } as const

function mapValue({ backend, settings, ingress }: Target, slots: Slots): string {
  const { readTimeoutMs = 0, tunnelTimeoutMs = 0, bodyLimitBytes = 0, sslRedirect }: Settings = settings
  const name = backend === undefined ? nowhere : slots.find(backend)!
  const set = [readTimeoutMs, tunnelTimeoutMs, bodyLimitBytes, sslRedirect ? 1 : 0]
  return [name, ingress, ...(set.some((value) => value > 0) ? [set.join('/')] : [])].join('|')
}

function serversOf({ endpoints, protocol }: Backend): Servers | undefined {
  if (endpoints.length === 0) return undefined
  return new Map(endpoints.map((endpoint) => [`${endpoint.address}:${endpoint.port}`, { ...endpoint, protocol }]))
}

/** Names of namespaces and Secrets have no underscore. For other hosts it is another file. */
export const certificateName = (key: string, hosts: readonly string[]): string =>
  `${key.replace('/', '_')}_${fnv32a(hosts.join(' ')).toString(16)}.pem`

/** The words of a server's line, as the configuration and `add server` take them. */
export function serverWords({ address, port, protocol, name }: Server): string {
  const at = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
  const sni = name === undefined ? '' : ` sni str(${name})`
  const how = { http: '', h2c: ' proto h2', https: ` ssl verify none alpn h2,http/1.1${sni}` }[protocol]
  return `${at} weight 100 slowstart 10s pool-purge-delay 5s${how}`
}
