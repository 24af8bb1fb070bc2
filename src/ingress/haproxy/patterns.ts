// The routes of hosts that have patterns. A tree of prefixes cannot hold them: they stand in one list, in the order in which
// they count. A precise host comes before a wildcard, and that before routes without a host; with each host exact paths, then
// the longest path as written, as ingress-nginx orders them. What is not found for a host may be for the next one, so
// those are in the list too.

import type { Route, RoutingTable, Target } from '#ingress/route.ts'
import { compareText } from '#lib/sort.ts'

/** What the map says of a host that has a list. */
export const hasPatterns = '?'

/** So many steps of PCRE a request may take for one pattern (a tenth of a millisecond); then it does not match. */
const mostSteps = 10_000

/** With the hosts whose routes come after those of hosts with patterns. */
export function patternHostsOf({ routes }: Pick<RoutingTable, 'routes'>): ReadonlySet<string> {
  const hosts = new Set<string>()
  for (const { match, host } of routes.values())
    if (match === 'pattern') for (const one of [host, host.replace(/^[^.*][^.]*/, '*'), '']) hosts.add(one)
  return hosts
}

/** Which requests a route takes, as a regular expression over host and path. */
function expressionOf({ host, match, path }: Pick<Route, 'host' | 'match' | 'path'>): string {
  const site = host === '' ? '[^/]*' : host.startsWith('*') ? `[^./]+${escape(host.slice(1))}` : escape(host)
  const begin = `(*LIMIT_MATCH=${mostSteps})^${site}`
  if (match === 'pattern') return `${begin}(?i)${path.replace(/^\^/, '')}`
  if (match === 'exact') return `${begin}${escape(path)}$`
  return path === '/' ? `${begin}/` : `${begin}${escape(path.slice(0, -1))}(/|$)`
}

/** The routes of these hosts, as one map in its order. `valueOf`: what a target is in the map. */
export function patternsOf(
  { routes, fallback }: Pick<RoutingTable, 'routes' | 'fallback'>,
  hosts: ReadonlySet<string>,
  valueOf: (target: Target) => string,
): ReadonlyMap<string, string> {
  if (hosts.size === 0) return new Map()
  const ordered = [...routes.values()].filter(({ host }) => hosts.has(host)).sort(compareRoutes)
  const result = new Map(ordered.map((route) => [expressionOf(route), valueOf(route)]))
  const last = expressionOf({ host: '', match: 'prefix', path: '/' })
  if (fallback !== undefined && !result.has(last)) result.set(last, valueOf(fallback))
  return result
}

const compareRoutes = (a: Route, b: Route): number =>
  rankOf(a.host) - rankOf(b.host) ||
  Number(b.match === 'exact') - Number(a.match === 'exact') ||
  b.path.length - a.path.length ||
  Number(a.match === 'pattern') - Number(b.match === 'pattern') ||
  compareText(a.path, b.path) ||
  compareText(a.host, b.host)
const rankOf = (host: string): number => (host === '' ? 2 : host.startsWith('*') ? 1 : 0)

const escape = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
