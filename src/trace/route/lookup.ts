// Where a machine sends a packet: its policy rules in their order, in each table the longest match.

import type { DumpedRoute } from '#kernel/dump/ip-route.ts'
import { type DumpedRule, usualRules } from '#kernel/dump/ip-rule.ts'
import { deviceSetting } from '#kernel/dump/sysctl.ts'
import { addressType } from '#trace/address-type.ts'
import { fraction, one, type Fraction } from '#trace/fraction.ts'
import { addressesOf, type Machine, perMachine } from '#trace/machine.ts'
import { protocolNumber } from '#trace/packet.ts'
import { rangeHas } from '#trace/ranges.ts'

export type RouteQuery = {
  readonly family: 4 | 6
  readonly destination: string
  /** '' where it is still to be chosen */
  readonly source: string
  readonly mark: number
  /** '' for what is made here, undefined where it is not known */
  readonly incoming: string | undefined
  readonly protocol: string
  readonly sourcePort: number
  readonly destinationPort: number
}

export type Routed =
  | { readonly kind: 'local' }
  | {
      readonly kind: 'forward'
      readonly device: string
      readonly via?: string
      readonly source?: string
      readonly mtu?: number
      readonly route?: DumpedRoute
    }
  /** `by`: what the sender is told */
  | {
      readonly kind: 'refused'
      readonly why: string
      readonly by: 'no route' | 'unreachable' | 'prohibit' | 'blackhole'
    }
  /** the inputs do not tell */
  | { readonly kind: 'unknown'; readonly missing: string }

export type RouteChoice = { readonly routed: Routed; readonly share: Fraction }

/** Several where a route has several next hops: the kernel spreads flows over them by weight. */
export function lookupRoute(machine: Machine, query: RouteQuery): readonly RouteChoice[] {
  const type = addressType(query.destination, machine)
  if (type === 'LOCAL') return certainly({ kind: 'local' })
  if (machine.routes === undefined) return certainly(connected(machine, query))
  for (const rule of rulesOf(machine, query.family)) {
    if (!ruleHolds(rule, query)) continue
    const { action } = rule
    if (action.kind === 'nop' || action.kind === 'goto') continue
    if (action.kind !== 'table') return certainly(refusedBy(action.kind, `rule ${rule.priority}`))
    const route = bestRoute(machine, action.table, query, rule.suppressPrefix)
    if (route !== undefined) return choicesOf(route, type)
  }
  if (type === 'MULTICAST' || type === 'BROADCAST') return certainly({ kind: 'local' })
  return certainly({ kind: 'refused', why: `no route to ${query.destination}`, by: 'no route' })
}

const certainly = (routed: Routed): readonly RouteChoice[] => [{ routed, share: one }]

type Refusal = 'unreachable' | 'prohibit' | 'blackhole'

/** A rule that says "unreachable" answers as if there were no route at all. */
const refusedBy = (type: Refusal, text: string): Routed => ({
  kind: 'refused',
  why: `${type} by ${text}`,
  by: type === 'unreachable' && text.startsWith('rule') ? 'no route' : type,
})

/** Without routes, an interface whose network has the address is still where it goes. */
function connected(machine: Machine, query: RouteQuery): Routed {
  if (addressesOf(machine) === undefined) return { kind: 'unknown', missing: 'ip addr, ip route' }
  const found = (machine.links ?? [])
    .flatMap((link) => (link.addresses ?? []).map((address) => ({ device: link.name, ...address })))
    .filter(({ ip, prefix, peer }) => rangeHas(`${peer ?? ip}/${prefix}`, query.destination) === true)
    .toSorted((a, b) => b.prefix - a.prefix)[0]
  return found === undefined
    ? { kind: 'unknown', missing: 'ip route' }
    : { kind: 'forward', device: found.device, source: found.ip }
}

const rulesOf = (machine: Machine, family: 4 | 6): readonly DumpedRule[] => {
  const own = machine.rules?.filter((rule) => rule.family === undefined || rule.family === family)
  return own === undefined || own.length === 0 ? usualRules : own
}

function ruleHolds(rule: DumpedRule, query: RouteQuery): boolean {
  const port = (range: string | undefined, value: number) => {
    const [first, last = first] = (range ?? '').split('-').map(Number)
    return range === undefined || (value >= first! && value <= last!)
  }
  const holds =
    (rule.from === undefined || (query.source !== '' && rangeHas(rule.from, query.source) === true)) &&
    (rule.to === undefined || rangeHas(rule.to, query.destination) === true) &&
    (rule.incoming === undefined || rule.incoming === (query.incoming === '' ? 'lo' : query.incoming)) &&
    rule.outgoing === undefined &&
    (rule.mark === undefined || (query.mark & rule.mark.mask) >>> 0 === rule.mark.value) &&
    (rule.protocol === undefined || protocolNumber(rule.protocol) === protocolNumber(query.protocol)) &&
    port(rule.sourcePort, query.sourcePort) &&
    port(rule.destinationPort, query.destinationPort)
  return holds !== rule.not
}

type Prepared = { readonly route: DumpedRoute; readonly range: string; readonly length: number }

/** Routes of each table, longest and cheapest first. */
const tablesOf = perMachine((machine) => {
  const tables = new Map<string, Prepared[]>()
  for (const route of machine.routes ?? []) {
    const list = tables.get(route.table) ?? []
    const length = route.destination === 'default' ? 0 : Number(route.destination.split('/')[1] ?? 0)
    list.push({ route, range: route.destination === 'default' ? '0.0.0.0/0' : route.destination, length })
    tables.set(route.table, list)
  }
  for (const list of tables.values()) list.sort((a, b) => b.length - a.length || a.route.metric - b.route.metric)
  return tables
})

function bestRoute(
  machine: Machine,
  table: string,
  query: RouteQuery,
  suppress: number | undefined,
): DumpedRoute | undefined {
  for (const { route, range, length } of tablesOf(machine).get(table) ?? []) {
    if (route.dead || (suppress !== undefined && length <= suppress)) continue
    if (route.destination === 'default' ? query.family === 4 : rangeHas(range, query.destination)) {
      if (route.type === 'throw') return undefined
      if (isDown(machine, route)) continue
      return route
    }
  }
  return undefined
}

/** Routes over an interface that is down are not there; those over one without carrier are, unless the kernel is told. */
function isDown(machine: Machine, { device, hops }: DumpedRoute): boolean {
  if (device === undefined || hops !== undefined) return false
  const link = machine.links?.find(({ name }) => name === device)
  if (link === undefined) return false
  const ignores =
    machine.sysctls !== undefined && deviceSetting(machine.sysctls, 4, device, 'ignore_routes_with_linkdown') === 1
  return !link.up || (ignores && !link.carrier)
}

function choicesOf(route: DumpedRoute, type: string | undefined): readonly RouteChoice[] {
  const text = renderRoute(route)
  switch (route.type) {
    case 'local':
      return certainly({ kind: 'local' })
    case 'broadcast':
    case 'multicast':
    case 'anycast':
      if (type !== 'UNICAST') return certainly({ kind: 'local' })
      break
    case 'unreachable':
    case 'prohibit':
    case 'blackhole':
      return certainly(refusedBy(route.type, `the route ${text}`))
  }
  const hops = (route.hops ?? [{ via: route.via, device: route.device, weight: 1, dead: false }]).filter(
    (hop) => !hop.dead,
  )
  const all = hops.reduce((sum, hop) => sum + hop.weight, 0)
  if (all === 0) return certainly({ kind: 'refused', why: `every next hop of ${text} is down`, by: 'no route' })
  return hops.map((hop) => ({
    share: fraction(BigInt(hop.weight), BigInt(all)),
    routed: {
      kind: 'forward',
      device: hop.device ?? route.device ?? '',
      ...(hop.via !== undefined && { via: hop.via }),
      ...(route.source !== undefined && { source: route.source }),
      ...(route.mtu !== undefined && { mtu: route.mtu }),
      route,
    },
  }))
}

/** `10.244.1.0/24 via 10.168.0.3 dev eth0` */
export function renderRoute(route: DumpedRoute): string {
  const words = [
    ...(route.type === 'unicast' ? [] : [route.type]),
    /^(0\.0\.0\.0|::)\/0$/.test(route.destination) ? 'default' : route.destination,
    ...(route.via === undefined ? [] : ['via', route.via]),
    ...(route.device === undefined ? [] : ['dev', route.device]),
    ...(route.hops ?? []).flatMap((hop) => [
      'nexthop',
      ...(hop.via === undefined ? [] : ['via', hop.via]),
      'dev',
      hop.device ?? '?',
      'weight',
      String(hop.weight),
    ]),
    ...(route.table === 'main' ? [] : ['table', route.table]),
  ]
  return words.join(' ')
}
