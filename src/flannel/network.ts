// effect: links, routes, neighbours and forwarding entries by netlink
// Makes the kernel's network equal to a plan. It looks, compares, and does only what differs, so it can be called at any
// time and after any accident.
import { NetlinkError } from '#kernel/netlink/socket.ts'
import type { Route } from '#kernel/route/open-route.ts'
import { messageOf } from '#daemon/error.ts'
import type { Logger } from '#daemon/log.ts'
import type { FamilyPlan } from '#flannel/backend.ts'
import { diffNetwork, type Observed, type OwnRoute, type Step } from '#flannel/diff.ts'
import { type DeviceWorld, ensureDevice, removeDevices } from '#flannel/ensure-device.ts'
import { families } from '#flannel/lease.ts'
import type { Ledger } from '#flannel/ledger.ts'

/** Some steps failed; those that did not are done. */
export class NetworkError extends Error {
  readonly code = 'NetworkError'
}

export type Applied = { readonly steps: number; readonly repairs: number }

/** Throws NetworkError after everything that could be done is done. */
export function applyNetwork(world: DeviceWorld, plans: readonly FamilyPlan[], ledger: Ledger): Applied {
  const { route, log } = world
  const wanted = plans.flatMap((plan) => plan.routes.map(({ onlink: _, ...own }) => own))
  const devices = plans.flatMap(({ device }) => device ?? [])
  const before = ledger.routes
  // Until it is done all of it is ours: what is still to come, and what is still to go.
  const known = new Set(wanted.map(keyOf))
  ledger.write({
    routes: [...wanted, ...before.filter((one) => !known.has(keyOf(one)))],
    devices: [...new Set([...ledger.devices, ...devices.map(({ name }) => name)])],
  })
  const failed: Failed = { messages: [], set: new Set(), deleted: [] }
  let repairs = 0
  let count = 0
  for (const plan of withEmpty(plans, before)) {
    const own = before.filter((one) => familyOf(one) === plan.family)
    const ensured = plan.device === undefined ? 'same' : ensureDevice(world, plan, plan.device)
    if (ensured === 'later') continue
    if (ensured === 'repaired') repairs++
    for (const step of diffNetwork(plan, observe(route, plan, own), own)) {
      count++
      const isDone = tryStep(route, plan, step, log, failed)
      if (isDone && step.kind === 'set-route' && step.isRepair) repairs++
    }
  }
  removeDevices(world, ledger.devices, devices)
  const done = wanted.filter((one) => !failed.set.has(keyOf(one)))
  ledger.write({ routes: [...done, ...failed.deleted], devices: devices.map(({ name }) => name) })
  if (failed.messages.length > 0) throw new NetworkError(failed.messages.join('; '))
  return { steps: count, repairs }
}

const keyOf = ({ destination, via, link }: OwnRoute) => `${destination} ${via ?? ''} ${link}`
const familyOf = ({ destination }: OwnRoute) => (destination.includes(':') ? 6 : 4)

/** A family that is no longer in use has a plan too: nothing. */
function withEmpty(plans: readonly FamilyPlan[], own: readonly OwnRoute[]): readonly FamilyPlan[] {
  const unused = families.filter(
    (family) => own.some((one) => familyOf(one) === family) && !plans.some((plan) => plan.family === family),
  )
  const nothing = { routes: [], neighbours: [], forwarding: [], problems: [] }
  return [...plans, ...unused.map((family) => ({ family, ...nothing }))]
}

type Failed = { readonly messages: string[]; readonly set: Set<string>; readonly deleted: OwnRoute[] }

function tryStep(route: Route, plan: FamilyPlan, step: Step, log: Logger, failed: Failed): boolean {
  try {
    perform(route, plan, step, log)
    return true
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error
    failed.messages.push(messageOf(error))
    if (step.kind === 'set-route') failed.set.add(keyOf(step.route))
    if (step.kind === 'delete-route') failed.deleted.push(step.route)
    return false
  }
}

function observe(route: Route, plan: FamilyPlan, own: readonly OwnRoute[]): Observed {
  const { family, device, routes } = plan
  const indexes = new Map<string, number>()
  for (const name of new Set([...routes, ...own].map(({ link }) => link).concat(device?.name ?? []))) {
    const link = route.link(name)
    if (link !== undefined) indexes.set(name, link.index)
  }
  const hasDevice = device !== undefined && indexes.has(device.name)
  return {
    routes: route.routes({ family }),
    neighbours: hasDevice ? route.neighbours({ family, link: device.name }) : [],
    forwarding: hasDevice ? route.forwarding(device.name) : [],
    indexes,
  }
}

function perform(route: Route, { device }: FamilyPlan, step: Step, log: Logger): void {
  switch (step.kind) {
    case 'set-forwarding':
      return route.replaceForwarding({ link: device!.name, mac: step.mac, destination: step.destination })
    case 'set-neighbour':
      return route.replaceNeighbour({ link: device!.name, ip: step.ip, mac: step.mac })
    case 'delete-neighbour':
      return void route.deleteNeighbour({ link: device!.name, ip: step.ip })
    case 'delete-forwarding': {
      const { mac, destination } = step
      return void route.deleteForwarding({ link: device!.name, mac, ...(destination !== undefined && { destination }) })
    }
    case 'set-route': {
      const { onlink, ...own } = step.route
      const { destination, via = own.link } = own
      if (step.inPlaceOf !== undefined)
        log.warn(`Replacing existing route to ${destination} via ${step.inPlaceOf.via ?? 'no one'} by one via ${via}`)
      route.replaceRoute({ ...own, ...(onlink && { onlink }) })
      return step.isRepair
        ? log.info(`Route recovered ${destination} : ${via}`)
        : log.info(`Subnet added: ${destination} via ${via}`)
    }
    case 'delete-route':
      if (step.isThere) route.deleteRoute(step.route)
      return log.info(`Subnet removed: ${step.route.destination}`)
  }
}
