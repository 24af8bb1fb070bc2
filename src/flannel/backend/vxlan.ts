// vxlan: packets for a peer travel in UDP between the nodes, so that any network below will do. The kernel learns nothing
// by itself: for each peer there is a route to the first address of its range, that address's neighbour entry with the MAC
// of the peer's device, and the forwarding entry from that MAC to the peer's public address. All three are permanent, and
// their number grows with the peers, not with the pods.

import { hostAt, parseCidr } from '#lib/cidr.ts'
import { sha256 } from '#lib/hash.ts'
import type { Backend, FamilyPlan, PlannedRoute, Problem, Self, VxlanDevice } from '#flannel/backend.ts'
import { isOnLink, routeTo } from '#flannel/backend/host-gw.ts'
import type { Peer } from '#flannel/lease.ts'
import type { BackendConfig } from '#flannel/network-config.ts'

/** Outer IP, UDP, VXLAN and inner Ethernet headers (RFC 7348). */
const overheads = { 4: 20 + 8 + 8 + 14, 6: 40 + 8 + 8 + 14 } as const

/** Linux' own default, and what flannel uses; the number that IANA gave is 4789. */
const usualPort = 8472

export const vxlan = (config: BackendConfig): Backend => ({
  type: 'vxlan',
  overhead: (family) => overheads[family],
  refuse: () => undefined,
  announce: (self) => JSON.stringify({ VNI: config.vni, VtepMAC: macOf(self, config) }),
  plan(self, peers): FamilyPlan {
    const device = deviceOf(self, config)
    const routes: PlannedRoute[] = []
    const neighbours: FamilyPlan['neighbours'][number][] = []
    const forwarding: FamilyPlan['forwarding'][number][] = []
    const problems: Problem[] = []
    for (const peer of peers) {
      if (config.directRouting && isOnLink(self, peer)) {
        routes.push(routeTo(self, peer))
        continue
      }
      const mac = peerMac(peer, config.vni)
      if (!mac.ok) {
        problems.push({ code: 'BadData', node: peer.node, message: `no tunnel to ${peer.node}: ${mac.reason}` })
        continue
      }
      const gateway = hostAt(parseCidr(peer.subnet)!, 0)
      forwarding.push({ mac: mac.value, destination: peer.publicIp })
      neighbours.push({ ip: gateway, mac: mac.value })
      routes.push({ destination: peer.subnet, via: gateway, link: device.name, onlink: true })
    }
    return { family: self.family, device, routes, neighbours, forwarding, problems }
  },
})

function deviceOf(self: Self, config: BackendConfig): VxlanDevice {
  const { family, subnet, link, ip, mtu, checksumOffload } = self
  return {
    kind: 'vxlan',
    name: `flannel${family === 4 ? '' : '-v6'}.${config.vni}`,
    id: config.vni,
    port: config.port ?? usualPort,
    learning: config.learning,
    checksumOffload,
    below: link,
    local: ip,
    mac: macOf(self, config),
    mtu: mtu - overheads[family],
    address: `${hostAt(parseCidr(subnet)!, 0)}/${family === 4 ? 32 : 128}`,
  }
}

/**
 * The same node always has the same MAC, so that after a restart or a device lost the others need not learn a new one.
 * Locally administered, not multicast.
 */
function macOf({ node, family }: Pick<Self, 'node' | 'family'>, { vni }: BackendConfig): string {
  const bytes = sha256(`${node} ${vni} ${family}`).slice(0, 6)
  bytes[0] = (bytes[0]! & 0xfc) | 0x02
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':')
}

type Read = { readonly ok: true; readonly value: string } | { readonly ok: false; readonly reason: string }

function peerMac({ data }: Peer, vni: number): Read {
  let value: { VNI?: unknown; VtepMAC?: unknown } | null
  try {
    value = JSON.parse(data) as typeof value
  } catch {
    return { ok: false, reason: 'its backend-data is not JSON' }
  }
  if (value?.VNI !== undefined && value.VNI !== vni)
    return { ok: false, reason: `it is in network ${String(value.VNI)}, this node in ${vni}` }
  const mac = value?.VtepMAC
  if (typeof mac !== 'string' || !/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(mac))
    return { ok: false, reason: 'its backend-data has no VtepMAC' }
  return { ok: true, value: mac.toLowerCase() }
}
