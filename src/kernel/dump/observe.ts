// effect: netlink sockets
// What rtnetlink tells of a namespace, as the dumps of the usual programs have it: by name instead of by number.
import type { DumpedForwarding, DumpedNeighbour } from '#kernel/dump/neighbour.ts'
import type { DumpedRoute } from '#kernel/dump/ip-route.ts'
import type { DumpedRule } from '#kernel/dump/ip-rule.ts'
import { defined } from '#kernel/dump/lines.ts'
import type { DumpedLink } from '#kernel/dump/link.ts'
import type { Route } from '#kernel/route/open-route.ts'

type Names = (index: number | undefined) => string | undefined

const namesOf = (route: Route): Names => {
  const names = new Map(route.links().map(({ index, name }) => [index, name]))
  return (index) => (index === undefined ? undefined : names.get(index))
}

export function observeLinks(route: Route): DumpedLink[] {
  const nameOf = namesOf(route)
  const addresses = Map.groupBy(route.addresses(), ({ link }) => link)
  return route.links().map((link) =>
    defined({
      index: link.index,
      name: link.name,
      kind: link.kind,
      mac: link.loopback ? undefined : link.mac,
      mtu: link.mtu,
      up: link.up,
      carrier: link.carrier,
      loopback: link.loopback,
      master: nameOf(link.master),
      // In another namespace the same number is another link.
      peer: link.peer === undefined ? undefined : link.peerNetnsId === undefined ? nameOf(link.peer) : `if${link.peer}`,
      hairpin: link.port?.hairpin,
      vxlan:
        link.vxlan &&
        defined({
          id: link.vxlan.id,
          port: link.vxlan.port,
          local: link.vxlan.local,
          device: nameOf(link.vxlan.device),
          learning: link.vxlan.learning,
        }),
      addresses: (addresses.get(link.index) ?? []).map(({ ip, prefix, scope, peer }) =>
        defined({ ip, prefix, scope, peer }),
      ),
    }),
  )
}

const tableNames: Readonly<Record<number, string>> = { 253: 'default', 254: 'main', 255: 'local' }
const tableName = (table: number): string => tableNames[table] ?? String(table)

export function observeRoutes(route: Route): DumpedRoute[] {
  const nameOf = namesOf(route)
  return route.routes({ table: 'all' }).map((item) =>
    defined({
      family: item.family,
      destination: item.destination === 'default' ? (item.family === 4 ? '0.0.0.0/0' : '::/0') : item.destination,
      type: item.type,
      via: item.via,
      device: item.hops === undefined ? nameOf(item.link) : undefined,
      source: item.source,
      metric: item.metric ?? 0,
      table: tableName(item.table),
      onlink: item.onlink,
      dead: item.dead ?? false,
      mtu: item.mtu,
      hops: item.hops?.map((hop) =>
        defined({ via: hop.via, device: nameOf(hop.link), weight: hop.weight, dead: hop.dead ?? false }),
      ),
    }),
  )
}

export const observeRules = (route: Route, family: 4 | 6): DumpedRule[] =>
  route.rules(family).map((rule) =>
    defined({
      priority: rule.priority,
      not: false,
      from: rule.from,
      to: rule.to,
      incoming: rule.incoming,
      outgoing: rule.outgoing,
      mark: rule.mark,
      action: { kind: 'table' as const, table: tableName(rule.table) },
    }),
  )

const states: readonly (readonly [bit: number, name: string])[] = [
  [0x01, 'INCOMPLETE'],
  [0x02, 'REACHABLE'],
  [0x04, 'STALE'],
  [0x08, 'DELAY'],
  [0x10, 'PROBE'],
  [0x20, 'FAILED'],
  [0x40, 'NOARP'],
  [0x80, 'PERMANENT'],
]

export function observeNeighbours(route: Route): DumpedNeighbour[] {
  const nameOf = namesOf(route)
  return route.neighbours().flatMap((neighbour) => {
    const device = nameOf(neighbour.link)
    if (device === undefined) return []
    const { ip, mac, state } = neighbour
    return [defined({ ip, device, mac, states: states.filter(([bit]) => (state & bit) !== 0).map(([, name]) => name) })]
  })
}

/** Entries of all bridges and vxlans. */
export function observeForwarding(route: Route): DumpedForwarding[] {
  const links = route.links()
  const nameOf = namesOf(route)
  return links
    .filter(({ kind, master }) => kind === 'vxlan' || master !== undefined)
    .flatMap((link) =>
      route.forwarding(link.name).map(({ mac, destination, self, permanent }) =>
        defined({
          mac,
          device: link.name,
          destination,
          master: self ? undefined : nameOf(link.master),
          flags: self ? ['self'] : [],
          state: permanent ? 'permanent' : undefined,
        }),
      ),
    )
}
