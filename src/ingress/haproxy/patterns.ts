// The routes of hosts that have patterns. A tree of prefixes cannot hold them: such a host has a list of its own, in which
// the longest path as written stands first, as ingress-nginx orders them. Exact paths stay in the map, and count before it.

import type { Route, RoutingTable, Target } from '#ingress/route.ts'
import { compareText } from '#lib/sort.ts'

/** What the map says of a host that has a list. */
export const hasPatterns = '?'

/** So many steps of PCRE a request may take for one pattern (a tenth of a millisecond); then it does not match. */
const mostSteps = 10_000

export function patternHostsOf({ routes }: Pick<RoutingTable, 'routes'>): ReadonlySet<string> {
  const hosts = new Set<string>()
  for (const { match, host } of routes.values()) if (match === 'pattern') hosts.add(host)
  return hosts
}

/** Which requests a route takes, as a regular expression over host and path. */
function expressionOf({ host, match, path }: Pick<Route, 'host' | 'match' | 'path'>): string {
  const begin = `(*LIMIT_MATCH=${mostSteps})^${escape(host)}`
  if (match === 'pattern') return `${begin}(?i)${path.replace(/^\^/, '')}`
  return path === '/' ? `${begin}/` : `${begin}${escape(path.slice(0, -1))}(/|$)`
}

/** The lists of these hosts, as one map in its order. `valueOf`: what a target is in the map. */
export function patternsOf(
  { routes, fallback }: Pick<RoutingTable, 'routes' | 'fallback'>,
  hosts: ReadonlySet<string>,
  valueOf: (target: Target) => string,
): ReadonlyMap<string, string> {
  if (hosts.size === 0) return new Map()
  const listed = [...routes.values()].filter(({ host, match }) => match !== 'exact' && hosts.has(host))
  const ordered = listed.sort(
    (a, b) =>
      b.path.length - a.path.length ||
      Number(a.match === 'pattern') - Number(b.match === 'pattern') ||
      compareText(a.path, b.path),
  )
  const result = new Map(ordered.map((route) => [expressionOf(route), valueOf(route)]))
  const last = expressionOf({ host: '', match: 'prefix', path: '/' })
  if (hosts.has('') && fallback !== undefined && !result.has(last)) result.set(last, valueOf(fallback))
  return result
}

const escape = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
