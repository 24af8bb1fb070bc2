// One pod on the network: what its cable, addresses and routes shall be. Everything follows from the container's id and
// its addresses, so that the same attachment can be made, checked and taken away by anyone who knows these.

import { toHex } from '#lib/bytes.ts'
import { sha256 } from '#lib/hash.ts'
import { parseIp } from '#lib/ip.ts'
import type { Network, Range } from '#node/cni/network.ts'

/** Whose attachment: the sandbox's id and the name of the interface in it. */
export type Owner = { readonly containerId: string; readonly ifname: string }

export const isSameOwner = (a: Owner, b: Owner): boolean => a.containerId === b.containerId && a.ifname === b.ifname

export type Attachment = {
  readonly owner: Owner
  /** the node's end of the cable */
  readonly hostLink: string
  /** of the pod's end */
  readonly mac: string
  readonly mtu: number
  readonly bridge: string
  readonly hairpin: boolean
  readonly addresses: readonly { readonly ip: string; readonly prefix: number; readonly gateway: string }[]
}

/** veth and eight hex digits, as the name of a link may have 15 characters. */
export const hostLinkOf = ({ containerId, ifname }: Owner): string =>
  `veth${toHex(sha256(`${containerId} ${ifname}`)).slice(0, 8)}`

/** A MAC address that says which IP address it belongs to, so that captures can be read: 0a:58 and its last four bytes. */
export function macOf(ip: string): string {
  const last = (parseIp(ip) ?? new Uint8Array(4)).slice(-4)
  return `0a:58:${toHex(last).match(/../g)!.join(':')}`
}

/**
 * What a promiscuous bridge takes for itself has no connection any more on kernels of today (since 6.9, and in the stable
 * series from 6.1 on), so that a pod's packet to itself would leave without being masqueraded: there the cable's hairpin mode must
 * help. `release` is the kernel's: `6.1.0-28-amd64`.
 */
export function needsCableToo(release: string): boolean {
  const [major = 0, minor = 0] = release.split('.').map(Number)
  return major > 6 || (major === 6 && minor >= 1)
}

/** `ips`: one per range of the network, in its order; `release`: the kernel's. */
export function planAttachment(network: Network, owner: Owner, ips: readonly string[], release: string): Attachment {
  return {
    owner,
    hostLink: hostLinkOf(owner),
    mac: macOf(ips[0]!),
    mtu: network.mtu,
    bridge: network.bridge,
    hairpin: network.hairpin === 'hairpin-veth' || (network.hairpin === 'promiscuous-bridge' && needsCableToo(release)),
    addresses: network.ranges.map(({ cidr, gateway }: Range, place) => ({
      ip: ips[place]!,
      prefix: cidr.prefix,
      gateway,
    })),
  }
}
