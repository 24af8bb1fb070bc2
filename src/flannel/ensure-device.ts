// effect: links by netlink
// The back end's own link: made where it is missing, made anew where it is another one, put right where it is ours.
import type { Logger } from '#daemon/log.ts'
import { setTransmitChecksum, transmitChecksum } from '#kernel/ethtool.ts'
import type { Link } from '#kernel/route/link.ts'
import type { Route } from '#kernel/route/open-route.ts'
import { writeSysctls } from '#kernel/sysctl.ts'
import type { Device, FamilyPlan, VxlanDevice } from '#flannel/backend.ts'
import type { Tunnels } from '#flannel/tunnel/tunnels.ts'

export type DeviceWorld = {
  readonly route: Route
  readonly tunnels: Tunnels
  readonly log: Logger
  readonly netns: string | undefined
}

/** Of a TUN device: what comes while its thread does something else waits, a second at 2,000 packets/s. */
const queueLength = 2000

/** `repaired`: it had been there and was not as it should be; `later`: its old thread must end first. */
export type Ensured = 'same' | 'repaired' | 'later'

export function ensureDevice(world: DeviceWorld, plan: FamilyPlan, device: Device): Ensured {
  const { route, netns } = world
  const found = route.link(device.name)
  const isSame =
    found !== undefined && (device.kind === 'tun' ? found.kind === 'tun' : isSameVxlan(world, found, device))
  if (found !== undefined && !isSame) {
    world.log.warn(`${device.name} is not as it should be: making it anew`)
    route.deleteLink(device.name)
  }
  if (device.kind === 'vxlan' && !isSame) addVxlan(world, device)
  if (device.kind === 'tun' && !world.tunnels.ensure(device.name, isSame, plan.tunnel!)) return 'later'
  // Router advertisements have no business on a tunnel.
  writeSysctls({ [`net/ipv6/conf/${device.name}/accept_ra`]: 0 }, netns)
  const isSummed = device.kind === 'tun' || ensureSums(world, device)
  const isRepaired = ensureAddress(route, device) || (isSame && !isSummed)
  const link = route.link(device.name)
  const isWrong = link?.mtu !== device.mtu || !link.up
  const queue = device.kind === 'tun' ? { queueLength } : {}
  if (isWrong) route.setLink(device.name, { mtu: device.mtu, up: true, ...queue })
  return found !== undefined && (!isSame || isWrong || isRepaired) ? 'repaired' : 'same'
}

/** Only off is seen to: what a machine's owner has turned off stays so. Answers whether all was well. */
function ensureSums({ netns, log }: DeviceWorld, { name, checksumOffload }: VxlanDevice): boolean {
  if (checksumOffload || !transmitChecksum(name, netns)) return true
  setTransmitChecksum(name, false, netns)
  log.info(`Turned off checksum offload of ${name}`)
  return false
}

/** Answers whether something had to be done. */
function ensureAddress(route: Route, { name, address }: Device): boolean {
  const addresses = route.addresses({ link: name }).filter(({ scope }) => scope === 'global')
  const wrong = addresses.filter(({ ip, prefix }) => `${ip}/${prefix}` !== address)
  for (const { ip, prefix } of wrong) route.deleteAddress({ link: name, cidr: `${ip}/${prefix}` })
  if (addresses.length > wrong.length) return wrong.length > 0
  route.addAddress({ link: name, cidr: address })
  return true
}

const isSameVxlan = ({ route }: DeviceWorld, found: Link, device: VxlanDevice): boolean =>
  found.kind === 'vxlan' &&
  found.mac === device.mac &&
  found.vxlan?.id === device.id &&
  found.vxlan.port === device.port &&
  found.vxlan.local === device.local &&
  found.vxlan.device === route.link(device.below)?.index &&
  found.vxlan.learning === device.learning &&
  found.vxlan.checksum !== true

function addVxlan({ route, log }: DeviceWorld, device: VxlanDevice): void {
  const { name, mac, mtu, id, port, local, learning, below } = device
  route.addVxlan({ name, mac, mtu, id, port, local, learning, device: below })
  log.info(`Created ${name}: VNI ${id}, port ${port}, ${local} on ${below}, mac address ${mac}`)
}

/** Devices of a back end that is no longer the one in use. */
export function removeDevices(
  { route, tunnels, log }: DeviceWorld,
  known: readonly string[],
  wanted: readonly Device[],
): void {
  for (const name of known) {
    if (wanted.some((device) => device.name === name)) continue
    tunnels.stop(name)
    if (route.deleteLink(name)) log.info(`Removed ${name}`)
  }
}
