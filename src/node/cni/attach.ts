// effect: network links of pods
// Puts pods on the node's network and takes them off it, after plans of attachment.ts. Every call may be repeated: what
// is there already is left or put right, what is missing already is fine.
import { closeSync, openSync } from 'node:fs'
import { openRoute, type Route } from '#kernel/route/open-route.ts'
import { writeSysctls } from '#kernel/sysctl.ts'
import { formatCidr } from '#lib/cidr.ts'
import { hostLinkOf, macOf, planAttachment, type Attachment, type Owner } from '#node/cni/attachment.ts'
import type { LeaseStore } from '#node/cni/lease-store.ts'
import type { Network } from '#node/cni/network.ts'

/** Makes the bridge and lets the node forward; called in the node's namespace. */
export function ensureBridge(network: Network): void {
  using route = openRoute()
  const existing = route.link(network.bridge)
  const promiscuous = network.hairpin === 'promiscuous-bridge'
  // A bridge with a MAC address of its own keeps it when its ports come and go.
  if (existing === undefined)
    route.addBridge({ name: network.bridge, mac: macOf(network.ranges[0]!.gateway), mtu: network.mtu, up: true })
  if (existing?.up !== true || existing.promiscuous !== promiscuous)
    route.setLink(network.bridge, { up: true, promiscuous })
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
}

/** ADD: an address (a preferred one where it is free), a cable between the pod's namespace and the bridge, the default route. */
export function attach(
  network: Network,
  leases: LeaseStore,
  owner: Owner,
  netns: string,
  preferred: readonly string[] = [],
): Attachment {
  const attachment = planAttachment(network, owner, leases.acquire(network, owner, preferred))
  using route = openRoute()
  // What an attempt before this one has left behind is of no use.
  route.deleteLink(attachment.hostLink)
  plug(route, attachment, netns)
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

/** DEL: the cable and the lease. */
export function detach(networkName: string, leases: LeaseStore, owner: Owner): void {
  using route = openRoute()
  route.deleteLink(hostLinkOf(owner))
  leases.release(networkName, owner)
}

/** CHECK: what of the attachment is not as it should be, one text each. */
export function checkAttachment(network: Network, leases: LeaseStore, owner: Owner, netns: string): readonly string[] {
  const held = leases.list(network.name).filter(({ owner: other }) => other.containerId === owner.containerId)
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

function isOpenable(path: string): boolean {
  try {
    closeSync(openSync(path, 'r'))
    return true
  } catch {
    return false
  }
}

/** GC: gives back what belongs to no container of `valid`: leases, and cables whose other end is gone with them. */
export function collect(network: Network, leases: LeaseStore, valid: ReadonlySet<string>): readonly string[] {
  using route = openRoute()
  const stale = leases.collect(network.name, valid)
  for (const { owner } of stale) route.deleteLink(hostLinkOf(owner))
  return stale.map(({ ip, owner }) => `${ip} of ${owner.containerId}`)
}

/** One line about the network, for the log. */
export const describeNetwork = ({ bridge, ranges, hairpin }: Network): string =>
  `bridge ${bridge}, pod CIDR ${ranges.map(({ cidr }) => formatCidr(cidr)).join(', ')}, hairpin mode ${hairpin}`
