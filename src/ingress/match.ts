// Which route a request takes. The proxy does the same by its maps; this is the rule in a form that can be read, tested
// and asked without a proxy.

import { createPattern } from '#api/pattern/pattern.ts'
import { type Route, type RoutingTable, routeKey, type Target } from '#ingress/route.ts'
import { compareText } from '#lib/sort.ts'

const mostWork = 1_000_000

/**
 * The target of a request, or undefined where nothing matches. `host` is the Host header, `path` without the query.
 * A precise host counts before a wildcard, and that before rules without a host; with each host an exact path before
 * prefixes and patterns, and of these the one that is longest as it is written.
 */
export function match(table: RoutingTable, host: string, path: string): Target | undefined {
  const { routes } = table
  for (const at of hostsOf(host)) {
    const exact = routes.get(routeKey({ host: at, match: 'exact', path }))
    if (exact !== undefined) return exact
    const prefix = longestPrefix(routes, at, path)
    const pattern = longestPattern(routes, at, path)
    const isPattern = pattern !== undefined && pattern.path.length > (prefix?.path.length ?? 0)
    const longest = isPattern ? pattern : prefix
    if (longest !== undefined) return longest
  }
  return table.fallback
}

/** The hosts of rules that a request's host is of, the most precise first. */
export function hostsOf(header: string): readonly string[] {
  const host = header.replace(/:\d*$/, '').toLowerCase()
  const dot = host.indexOf('.')
  return [...(host === '' ? [] : [host]), ...(dot > 0 ? [`*${host.slice(dot)}`] : []), '']
}

function longestPattern(routes: ReadonlyMap<string, Route>, host: string, path: string): Route | undefined {
  const own = [...routes.values()].filter((route) => route.match === 'pattern' && route.host === host)
  return own
    .sort((a, b) => b.path.length - a.path.length || compareText(a.path, b.path))
    .find((route) => createPattern(`^(?i)${route.path}`).test(path, { left: mostWork }))
}

function longestPrefix(routes: ReadonlyMap<string, Route>, host: string, path: string): Route | undefined {
  const whole = path.endsWith('/') ? path : `${path}/`
  for (let end = whole.length; end > 0; end = end === 1 ? 0 : whole.lastIndexOf('/', end - 2) + 1) {
    const route = routes.get(routeKey({ host, match: 'prefix', path: whole.slice(0, end) }))
    if (route !== undefined) return route
  }
  return undefined
}
