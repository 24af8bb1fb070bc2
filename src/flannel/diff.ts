// From what the kernel has to what it shall have, as steps in an order that loses no packet: entries before the routes
// that use them, and nothing is taken away before what replaces it is there.

import type { IpRoute } from '#kernel/route/ip-route.ts'
import type { ForwardingEntry, Neighbour } from '#kernel/route/neighbour.ts'
import type { FamilyPlan, PlannedRoute } from '#flannel/backend.ts'

export type Observed = {
  /** of the main table, in the plan's family */
  readonly routes: readonly IpRoute[]
  /** of the plan's device */
  readonly neighbours: readonly Neighbour[]
  readonly forwarding: readonly ForwardingEntry[]
  /** link's name -> its index; links that are not there are left out */
  readonly indexes: ReadonlyMap<string, number>
}

/** A route that we have set before, as the ledger remembers it. */
export type OwnRoute = Pick<PlannedRoute, 'destination' | 'via' | 'link'>

export type Step =
  | { readonly kind: 'set-forwarding'; readonly mac: string; readonly destination: string }
  | { readonly kind: 'set-neighbour'; readonly ip: string; readonly mac: string }
  | {
      readonly kind: 'set-route'
      readonly route: PlannedRoute
      /** we had set it before, and someone took it away or changed it */
      readonly isRepair: boolean
      /** a route of another program to the very same range, which ours takes the place of */
      readonly inPlaceOf?: IpRoute
    }
  | { readonly kind: 'delete-route'; readonly route: OwnRoute; readonly isThere: boolean }
  | { readonly kind: 'delete-neighbour'; readonly ip: string }
  | { readonly kind: 'delete-forwarding'; readonly mac: string; readonly destination?: string }

/** `own`: what the ledger says is ours. Routes of others stay as they are, except one to the very range of a peer. */
export function diffNetwork(plan: FamilyPlan, observed: Observed, own: readonly OwnRoute[]): Step[] {
  return [...missingEntries(plan, observed), ...routeSteps(plan, observed, own), ...staleEntries(plan, observed)]
}

function missingEntries({ forwarding, neighbours }: FamilyPlan, observed: Observed): Step[] {
  const hasEntry = (mac: string, destination: string) =>
    observed.forwarding.some((entry) => entry.permanent && entry.mac === mac && entry.destination === destination)
  const hasNeighbour = (ip: string, mac: string) =>
    observed.neighbours.some((entry) => entry.permanent && entry.ip === ip && entry.mac === mac)
  return [
    ...forwarding
      .filter(({ mac, destination }) => !hasEntry(mac, destination))
      .map((entry) => ({ kind: 'set-forwarding', ...entry }) as const),
    ...neighbours
      .filter(({ ip, mac }) => !hasNeighbour(ip, mac))
      .map((entry) => ({ kind: 'set-neighbour', ...entry }) as const),
  ]
}

function staleEntries({ forwarding, neighbours }: FamilyPlan, observed: Observed): Step[] {
  const ips = new Set(neighbours.map(({ ip }) => ip))
  const macs = new Set(forwarding.map(({ mac }) => mac))
  return [
    ...observed.neighbours
      .filter((entry) => entry.permanent && !ips.has(entry.ip))
      .map(({ ip }) => ({ kind: 'delete-neighbour', ip }) as const),
    ...observed.forwarding
      .filter((entry) => entry.self && !macs.has(entry.mac))
      .map(({ mac, destination }) => ({
        kind: 'delete-forwarding' as const,
        mac,
        ...(destination !== undefined && { destination }),
      })),
  ]
}

function routeSteps({ family, device, routes }: FamilyPlan, observed: Observed, own: readonly OwnRoute[]): Step[] {
  const steps: Step[] = []
  const wanted = new Map(routes.map((route) => [route.destination, route]))
  const isOurs = ({ destination, via, link }: IpRoute) =>
    own.some((one) => one.destination === destination && one.via === via && observed.indexes.get(one.link) === link) ||
    (device !== undefined && link === observed.indexes.get(device.name) && via !== undefined)
  for (const route of routes) {
    const index = observed.indexes.get(route.link)
    const there = observed.routes.filter((one) => one.destination === route.destination && isPlain(one))
    if (there.some((one) => one.via === route.via && one.link === index)) continue
    const isRepair = own.some(({ destination, via }) => destination === route.destination && via === route.via)
    const foreign = there.find((one) => !isOurs(one))
    steps.push({ kind: 'set-route', route, isRepair, ...(foreign && { inPlaceOf: foreign }) })
  }
  for (const route of own) {
    if (familyOf(route) !== family || wanted.get(route.destination)?.link === route.link) continue
    const index = observed.indexes.get(route.link)
    const isThere = observed.routes.some(
      (one) => one.destination === route.destination && one.via === route.via && one.link === index && isPlain(one),
    )
    steps.push({ kind: 'delete-route', route, isThere: isThere && index !== undefined })
  }
  // A route on our own device that no ledger knows is left over from a run whose ledger was lost.
  for (const { destination, via, link } of observed.routes)
    if (device !== undefined && via !== undefined && link === observed.indexes.get(device.name))
      if (!wanted.has(destination) && !own.some((one) => one.destination === destination))
        steps.push({ kind: 'delete-route', route: { destination, via, link: device.name }, isThere: true })
  return steps
}

/** A route that competes with ours: one of the same metric (IPv6 has 1024 where none is said). */
const isPlain = ({ family, metric = 0 }: IpRoute) => metric === (family === 6 ? 1024 : 0)
const familyOf = ({ destination }: OwnRoute) => (destination.includes(':') ? 6 : 4)
