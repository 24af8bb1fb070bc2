// udp: packets for pods elsewhere go into a TUN device, where a thread of ours takes them and sends them to the peer in UDP. For
// networks that carry no vxlan, and for debugging: every packet passes through this process, and none while it is away.
// The original knows IPv4 only; ours carries IPv6 the same way, in a device of its own.

import { hostAt, parseCidr } from '#lib/cidr.ts'
import type { Backend, FamilyPlan, Self } from '#flannel/backend.ts'
import type { Peer } from '#flannel/lease.ts'
import type { BackendConfig } from '#flannel/network-config.ts'

/** Outer IP and UDP headers. */
const overheads = { 4: 20 + 8, 6: 40 + 8 } as const
const usualPort = 8285
const names = { 4: 'flannel0', 6: 'flannel-v6.0' } as const

export const udp = (config: BackendConfig): Backend => ({
  type: 'udp',
  overhead: (family) => overheads[family],
  refuse: () => undefined,
  announce: () => 'null',
  plan(self: Self, peers: readonly Peer[]): FamilyPlan {
    const { family, subnet, network, ip, mtu } = self
    const name = names[family]
    return {
      family,
      device: {
        kind: 'tun',
        name,
        mtu: mtu - overheads[family],
        address: `${hostAt(parseCidr(subnet)!, 0)}/${family === 4 ? 32 : 128}`,
      },
      tunnel: {
        local: ip,
        port: config.port ?? usualPort,
        subnet,
        peers: peers.map((peer) => ({ subnet: peer.subnet, publicIp: peer.publicIp })),
      },
      // Who has which range is the thread's business; what nobody has, it answers as unreachable.
      routes: [{ destination: network, link: name, onlink: false }],
      neighbours: [],
      forwarding: [],
      problems: [],
    }
  },
})
