// effect: network links of pods
// Puts pods on the node's network and takes them off it, after plans of attachment.ts. Every call may be repeated: what
// is there already is left or put right, what is missing already is fine.
import { closeSync, openSync } from 'node:fs'
import { release } from 'node:os'
import { NetlinkError } from '#kernel/netlink/socket.ts'
import type { Link } from '#kernel/route/link.ts'
import { openRoute, type Route } from '#kernel/route/open-route.ts'
import { writeSysctls } from '#kernel/sysctl.ts'
import { formatCidr } from '#lib/cidr.ts'
import { hostLinkOf, isSameOwner, macOf, planAttachment, type Attachment, type Owner } from '#node/cni/attachment.ts'
import { dropDuplicates } from '#node/cni/drop-duplicates.ts'
import { collectHostPorts, type HostPort, mapHostPorts, unmapHostPorts } from '#node/cni/host-ports.ts'
import type { LeaseStore } from '#node/cni/lease-store.ts'
import type { Network } from '#node/cni/network.ts'

/** Makes the bridge and lets the node forward; called in the node's namespace. */
export function ensureBridge(network: Network): void {
  using route = openRoute()
  const promiscuous = network.hairpin === 'promiscuous-bridge'
  const existing = route.link(network.bridge) ?? addBridge(route, network)
  if (!existing.up || existing.promiscuous !== promiscuous) route.setLink(network.bridge, { up: true, promiscuous })
  if (existing.mtu !== network.mtu) route.setLink(network.bridge, { mtu: network.mtu })
  const wanted = network.ranges.map(({ cidr, gateway }) => ({ ip: gateway, prefix: cidr.prefix }))
  for (const { ip, prefix, scope } of route.addresses({ link: network.bridge }))
    if (scope === 'global' && !wanted.some((one) => one.ip === ip && one.prefix === prefix))
      route.deleteAddress({ link: network.bridge, cidr: `${ip}/${prefix}` })
  for (const { ip, prefix } of wanted) route.addAddress({ link: network.bridge, cidr: `${ip}/${prefix}` })
  // Without bridge-nf-call, an answer between two pods of one node would pass the bridge without being translated back.
  writeSysctls({
    'net/ipv4/ip_forward': 1,
    'net/ipv6/conf/all/forwarding': 1,
    'net/bridge/bridge-nf-call-iptables': 1,
    'net/bridge/bridge-nf-call-ip6tables': 1,
  })
  dropDuplicates(network, existing.mac)
}

function addBridge(route: Route, { bridge: name, ranges, mtu }: Network): Link {
  try {
    // A bridge with a MAC address of its own keeps it when its ports come and go.
    route.addBridge({ name, mac: macOf(ranges[0]!.gateway), mtu, up: true })
  } catch (error) {
    // Somebody else who attaches a pod has been faster.
    if (!(error instanceof NetlinkError) || error.code !== 'EEXIST') throw error
  }
  return route.link(name)!
}

export type AttachOptions = {
  /** addresses to be taken where they are free */
  readonly preferred?: readonly string[]
  readonly hostPorts?: readonly HostPort[]
}

/** ADD: an address, a cable between the pod's namespace and the bridge, the default route, ports of the node. */
export function attach(
  network: Network,
  leases: LeaseStore,
  owner: Owner,
  netns: string,
  { preferred = [], hostPorts = [] }: AttachOptions = {},
): Attachment {
  const attachment = planAttachment(network, owner, leases.acquire(network, owner, preferred), release())
  using route = openRoute()
  // What an attempt before this one has left behind is of no use.
  route.deleteLink(attachment.hostLink)
  plug(route, attachment, netns)
  mapHostPorts(network, attachment, hostPorts)
  return attachment
}

function plug(route: Route, attachment: Attachment, netns: string): void {
  const { hostLink, mtu, bridge, hairpin, owner, mac } = attachment
  route.addVeth({
    name: hostLink,
    mtu,
    master: bridge,
    up: true,
    peer: { name: owner.ifname, mac },
    peerNetns: netns,
  })
  if (hairpin) route.setLink(hostLink, { hairpin })
  using inside = openRoute(netns)
  inside.setLink('lo', { up: true })
  for (const { ip, prefix } of attachment.addresses) inside.addAddress({ link: owner.ifname, cidr: `${ip}/${prefix}` })
  inside.setLink(owner.ifname, { up: true })
  for (const { gateway } of attachment.addresses)
    inside.replaceRoute({ destination: 'default', via: gateway, link: owner.ifname })
}

/** DEL: the ports, the cable and the lease. */
export function detach(networkName: string, leases: LeaseStore, owner: Owner): void {
  unmapHostPorts(owner)
  using route = openRoute()
  route.deleteLink(hostLinkOf(owner))
  leases.release(networkName, owner)
}

/** CHECK: what of the attachment is not as it should be, one text each. */
export function checkAttachment(network: Network, leases: LeaseStore, owner: Owner, netns: string): readonly string[] {
  const held = leases.list(network.name).filter(({ owner: other }) => isSameOwner(other, owner))
  if (held.length !== network.ranges.length) return [`no lease for ${owner.containerId}`]
  if (!isOpenable(netns)) return [`no network namespace at ${netns}`]
  using route = openRoute()
  using inside = openRoute(netns)
  const host = route.link(hostLinkOf(owner))
  const bridge = route.link(network.bridge)
  const own = inside.link(owner.ifname)
  const addresses = own ? inside.addresses({ link: owner.ifname }).map(({ ip }) => ip) : []
  return [
    ...(host?.up && own?.up ? [] : [`the link ${hostLinkOf(owner)} or ${owner.ifname} is missing or down`]),
    ...(host && host.master === bridge?.index ? [] : [`${hostLinkOf(owner)} is not a port of ${network.bridge}`]),
    ...held.filter(({ ip }) => !addresses.includes(ip)).map(({ ip }) => `${owner.ifname} has no address ${ip}`),
  ]
}

export function isOpenable(path: string): boolean {
  try {
    closeSync(openSync(path, 'r'))
    return true
  } catch {
    return false
  }
}

/** GC: gives back what belongs to no valid attachment: ports, leases, and cables whose other end is gone with them. */
export function collect(network: Network, leases: LeaseStore, isValid: (owner: Owner) => boolean): readonly string[] {
  collectHostPorts(isValid)
  using route = openRoute()
  const stale = leases.collect(network.name, isValid)
  for (const { owner } of stale) route.deleteLink(hostLinkOf(owner))
  return stale.map(({ ip, owner }) => `${ip} of ${owner.containerId}`)
}

/** One line about the network, for the log. */
export const describeNetwork = ({ bridge, ranges, hairpin }: Network): string =>
  `bridge ${bridge}, pod CIDR ${ranges.map(({ cidr }) => formatCidr(cidr)).join(', ')}, hairpin mode ${hairpin}`
