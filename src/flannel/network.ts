// effect: links, routes, neighbours and forwarding entries by netlink
// Makes the kernel's network equal to a plan. It looks, compares, and does only what differs, so it can be called at any
// time and after any accident.
import { NetlinkError } from '#kernel/netlink/socket.ts'
import type { Route } from '#kernel/route/open-route.ts'
import { writeSysctls } from '#kernel/sysctl.ts'
import { messageOf } from '#daemon/error.ts'
import type { Logger } from '#daemon/log.ts'
import type { Device, FamilyPlan } from '#flannel/backend.ts'
import { diffNetwork, type Observed, type OwnRoute, type Step } from '#flannel/diff.ts'
import { families } from '#flannel/lease.ts'
import type { Ledger } from '#flannel/ledger.ts'

/** Some steps failed; those that did not are done. */
export class NetworkError extends Error {
  readonly code = 'NetworkError'
}

export type Applied = { readonly steps: number; readonly repairs: number }

/** Throws NetworkError after everything that could be done is done. */
export function applyNetwork(
  route: Route,
  plans: readonly FamilyPlan[],
  ledger: Ledger,
  { log, netns }: { readonly log: Logger; readonly netns: string | undefined },
): Applied {
  const wanted = plans.flatMap((plan) => plan.routes.map(({ destination, via, link }) => ({ destination, via, link })))
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
    if (plan.device !== undefined && ensureDevice(route, plan.device, log, netns)) repairs++
    for (const step of diffNetwork(plan, observe(route, plan, own), own)) {
      count++
      const isDone = tryStep(route, plan, step, log, failed)
      if (isDone && step.kind === 'set-route' && step.isRepair) repairs++
    }
  }
  removeDevices(route, ledger.devices, devices, log)
  const done = wanted.filter((one) => !failed.set.has(keyOf(one)))
  ledger.write({ routes: [...done, ...failed.deleted], devices: devices.map(({ name }) => name) })
  if (failed.messages.length > 0) throw new NetworkError(failed.messages.join('; '))
  return { steps: count, repairs }
}

const keyOf = ({ destination, via, link }: OwnRoute) => `${destination} ${via} ${link}`
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
      const { destination, via, link, onlink } = step.route
      if (step.inPlaceOf !== undefined)
        log.warn(`Replacing existing route to ${destination} via ${step.inPlaceOf.via ?? 'no one'} by one via ${via}`)
      route.replaceRoute({ destination, via, link, ...(onlink && { onlink }) })
      return step.isRepair
        ? log.info(`Route recovered ${destination} : ${via}`)
        : log.info(`Subnet added: ${destination} via ${via}`)
    }
    case 'delete-route':
      if (step.isThere) route.deleteRoute(step.route)
      return log.info(`Subnet removed: ${step.route.destination}`)
  }
}

/** Answers whether the device had been there and was not as it should be. */
function ensureDevice(route: Route, device: Device, log: Logger, netns: string | undefined): boolean {
  const found = route.link(device.name)
  const below = route.link(device.below)
  const is =
    found?.kind === 'vxlan' &&
    found.mac === device.mac &&
    found.vxlan?.id === device.id &&
    found.vxlan.port === device.port &&
    found.vxlan.local === device.local &&
    found.vxlan.device === below?.index &&
    found.vxlan.learning === device.learning
  if (found !== undefined && !is) {
    log.warn(`${device.name} is not as it should be: making it anew`)
    route.deleteLink(device.name)
  }
  if (!is) {
    const { name, mac, mtu, id, port, local, learning } = device
    route.addVxlan({ name, mac, mtu, id, port, local, learning, device: device.below })
    log.info(`Created ${name}: VNI ${id}, port ${port}, ${local} on ${device.below}, mac address ${mac}`)
  }
  // Router advertisements have no business on a tunnel.
  writeSysctls({ [`net/ipv6/conf/${device.name}/accept_ra`]: 0 }, netns)
  const addresses = route.addresses({ link: device.name }).filter(({ scope }) => scope === 'global')
  for (const { ip, prefix } of addresses)
    if (`${ip}/${prefix}` !== device.address) route.deleteAddress({ link: device.name, cidr: `${ip}/${prefix}` })
  if (!addresses.some(({ ip, prefix }) => `${ip}/${prefix}` === device.address))
    route.addAddress({ link: device.name, cidr: device.address })
  if (!is || found.mtu !== device.mtu || !found.up) route.setLink(device.name, { mtu: device.mtu, up: true })
  return found !== undefined && !is
}

/** Devices of a back end that is no longer the one in use. */
function removeDevices(route: Route, known: readonly string[], wanted: readonly Device[], log: Logger): void {
  for (const name of known)
    if (!wanted.some((device) => device.name === name) && route.deleteLink(name)) log.info(`Removed ${name}`)
}
