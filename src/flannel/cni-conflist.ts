// The conflist for the standard CNI plugins: what flannel's own plugin would make of subnet.env, said to bridge, host-local and
// portmap directly, so that a machine needs no plugin of flannel's.

import { hostAt, parseCidr } from '#lib/cidr.ts'
import { families } from '#flannel/lease.ts'
import type { SubnetFile } from '#flannel/subnet-file.ts'

/** Masquerading is left to whoever does it: us, or the bridge plugin where we do not. */
export function renderCniConflist({ networks, subnets, mtu, masquerade }: SubnetFile): string {
  const used = families.filter((family) => networks[family] !== undefined && subnets[family] !== undefined)
  const bridge = {
    type: 'bridge',
    bridge: 'cni0',
    mtu,
    isGateway: true,
    isDefaultGateway: true,
    hairpinMode: true,
    ipMasq: !masquerade,
    ipam: {
      type: 'host-local',
      ranges: used.map((family) => [{ subnet: subnets[family], gateway: hostAt(parseCidr(subnets[family]!)!, 1) }]),
      routes: used.map((family) => ({ dst: networks[family] })),
    },
  }
  const portmap = { type: 'portmap', capabilities: { portMappings: true } }
  return `${JSON.stringify({ cniVersion: '1.0.0', name: 'cbr0', plugins: [bridge, portmap] }, undefined, 2)}\n`
}
