// A routing table in HAProxy's own terms. Everything that an edit can change is in one map, in servers of numbered back
// ends, and in certificates: what the runtime API can change. The configuration itself stays as it is.

import { canaryRulesOf, nameOfRule, shareOf } from '#ingress/haproxy/canaries.ts'
import { hasPatterns, patternHostsOf, patternsOf } from '#ingress/haproxy/patterns.ts'
import { Slots } from '#ingress/haproxy/slots.ts'
import type { Backend, Protocol, Route, RoutingTable, ServedCertificate, Target } from '#ingress/route.ts'
import { fallbackRoute, routeKey } from '#ingress/route.ts'
import type { TableChange } from '#ingress/table.ts'
import { toHex } from '#lib/bytes.ts'
import { equalJson } from '#lib/equal.ts'
import { fnv32a, sha256 } from '#lib/hash.ts'

export type Server = {
  readonly address: string
  readonly port: number
  readonly protocol: Protocol
  /** what it is asked for by TLS */
  readonly name?: string
}
export type Servers = ReadonlyMap<string, Server>

/** What an edit cannot change: it stands in the configuration. */
export type Basis = {
  readonly slots: Slots
  readonly patternHosts: ReadonlySet<string>
  /** undefined: there are no canaries */
  readonly canaryRules: readonly string[] | undefined
}

/** What HAProxy has, or shall have. */
export type Layout = {
  readonly map: Map<string, string>
  /** the list of those hosts, by expressions, in its order; an edit changes values only */
  readonly patterns: Map<string, string>
  /** by the back end's name, then by the server's; back ends without servers are left out */
  readonly servers: Map<string, Servers>
  /** by `NAMESPACE/SECRET` */
  readonly certificates: Map<string, ServedCertificate>
  defaultCertificate: string | undefined
}

/** What is to be other than it is, each named by its key; undefined: gone. */
export type LayoutChange = {
  readonly map: ReadonlyMap<string, string | undefined>
  readonly patterns: ReadonlyMap<string, string>
  readonly servers: ReadonlyMap<string, Servers | undefined>
  readonly certificates: ReadonlyMap<string, ServedCertificate | undefined>
  readonly defaultCertificate: string | undefined
}

/** The back end of routes that lead nowhere: it has no servers, and so answers 503. */
export const nowhere = 'nowhere'

/** What a HAProxy for this table has to be made for; `ordinary`: of ordinary back ends so many at least. */
export const basisFor = (table: RoutingTable, ordinary: number): Basis => ({
  slots: new Slots([...table.backends.values()], ordinary),
  patternHosts: patternHostsOf(table),
  canaryRules: canaryRulesOf(table),
})

/** All of a table, whose back ends have their slots. */
export function layOut(table: RoutingTable, basis: Basis): Layout {
  const map = new Map<string, string>()
  for (const route of table.routes.values()) if (isInMap(route, basis)) map.set(mapKey(route), mapValue(route, basis))
  const { key, value } = lastEntry(table, basis)
  if (value !== undefined) map.set(key, value)
  for (const host of basis.patternHosts) map.set(`${host}/`, hasPatterns)
  const servers = new Map<string, Servers>()
  for (const backend of table.backends.values()) {
    const own = serversOf(backend)
    if (own !== undefined) servers.set(basis.slots.find(backend.key)!, own)
  }
  return {
    map,
    patterns: new Map(patternsIn(table, basis)),
    servers,
    certificates: new Map(table.certificates),
    defaultCertificate: table.defaultCertificate,
  }
}

/**
 * The part of it that a change of the table is about; undefined where only another HAProxy can have it. `freed`: back ends
 * that were of Services that are gone.
 */
export function layOutChange(
  table: RoutingTable,
  { routes, backends, certificates }: TableChange,
  basis: Basis,
  has: Layout,
  freed: Iterable<string>,
): LayoutChange | undefined {
  const map = new Map<string, string | undefined>()
  let patterns: ReadonlyMap<string, string> | undefined
  for (const at of routes) {
    const route = table.routes.get(at)
    if (route?.canary !== undefined && nameOfRule(basis.canaryRules, route.canary) === undefined) return undefined
    const { match, host } = partsOf(at)
    if (match === 'pattern' && !basis.patternHosts.has(host)) return undefined
    if (basis.patternHosts.has(host)) patterns ??= patternsIn(table, basis)
    if (!isInMap({ match, host }, basis)) continue
    if (route !== undefined) map.set(mapKey(route), mapValue(route, basis))
    else if (at !== fallbackRoute) map.set(mapKeyOf(at), undefined)
  }
  if (routes.has(fallbackRoute) || routes.has(lastRoute)) {
    if (basis.patternHosts.has('')) patterns ??= patternsIn(table, basis)
    else {
      const { key, value } = lastEntry(table, basis)
      map.set(key, value)
    }
  }
  if (patterns !== undefined && !equalJson([...patterns.keys()], [...has.patterns.keys()])) return undefined
  const servers = new Map<string, Servers | undefined>()
  for (const name of freed) servers.set(name, undefined)
  for (const key of backends) {
    const backend = table.backends.get(key)
    if (backend !== undefined) servers.set(basis.slots.find(key)!, serversOf(backend))
  }
  const named = new Map([...certificates].map((key) => [key, table.certificates.get(key)]))
  const { defaultCertificate } = table
  return { map, patterns: patterns ?? new Map(), servers, certificates: named, defaultCertificate }
}

/** Whether a route is in the map; exact ones always are, since that is looked at first. */
const isInMap = ({ host, match }: Pick<Route, 'host' | 'match'>, { patternHosts }: Basis): boolean =>
  match === 'exact' || (match === 'prefix' && !patternHosts.has(host))

const patternsIn = (table: RoutingTable, basis: Basis): ReadonlyMap<string, string> =>
  patternsOf(table, basis.patternHosts, (target) => mapValue(target, basis))

/** A layout after a change. */
export function applyChange(layout: Layout, change: LayoutChange): void {
  merge(layout.map, change.map)
  merge(layout.patterns, change.patterns)
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
  const { match, where } = partsOf(at)
  return match === 'exact' ? `${where}/${pathEnd}` : where
}

function partsOf(at: string): { readonly match: Route['match']; readonly host: string; readonly where: string } {
  const [match = '', where = ''] = at.split(' ')
  return { match: match as Route['match'], host: where.slice(0, Math.max(0, where.indexOf('/'))), where }
}

/** What takes all that nothing else does has the place of this route, which does so too. */
const lastRoute = routeKey({ host: '', match: 'prefix', path: '/' })

function lastEntry(table: RoutingTable, basis: Basis): { key: string; value: string | undefined } {
  const target = table.routes.get(lastRoute) ?? table.fallback
  return { key: mapKeyOf(lastRoute), value: target && mapValue(target, basis) }
}

function mapValue(target: Target & Pick<Route, 'canary'>, { slots, canaryRules }: Basis): string {
  const { backend, ingress, rewrite, canary } = target
  const nameOf = (key: string | undefined) => (key === undefined ? nowhere : slots.find(key)!)
  const share = canary && [nameOfRule(canaryRules, canary), shareOf(canary), nameOf(canary.backend)].join('/')
  const more = rewrite !== undefined ? [share ?? '', rewrite] : share !== undefined ? [share] : []
  return [nameOf(backend), ingress, ...more].join('|')
}

function serversOf({ endpoints, protocol, settings }: Backend): Servers | undefined {
  if (endpoints.length === 0) return undefined
  return new Map(
    endpoints.map((endpoint) => {
      const at = `${endpoint.address}:${endpoint.port}`
      return [settings.affinity === undefined ? at : cookieValue(at), { ...endpoint, protocol }]
    }),
  )
}

/** What clients see of an endpoint that they come back to. */
const cookieValue = (at: string): string => toHex(sha256(at).slice(0, 8))

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
