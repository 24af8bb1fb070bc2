// The pod network of one node, as the conflist of a CNI runtime describes it: a bridge with the node's pod CIDR, the
// first address being the gateway.

import { formatCidr, hostAt, parseCidr, type Cidr } from '#lib/cidr.ts'

/**
 * How a pod reaches itself through its Service. hairpin-veth: the bridge may send a frame back out of the port it came
 * from; promiscuous-bridge: the bridge takes every frame itself; none: it cannot.
 */
export const hairpinModes = ['hairpin-veth', 'promiscuous-bridge', 'none'] as const
export type HairpinMode = (typeof hairpinModes)[number]

export type Network = {
  /** names the folder of its leases */
  readonly name: string
  readonly bridge: string
  /** one range per family; the first one's addresses are the pods' primary ones */
  readonly ranges: readonly Range[]
  readonly mtu: number
  readonly hairpin: HairpinMode
}

export type Range = { readonly cidr: Cidr; readonly gateway: string }

/** The network of a node with these pod CIDRs; undefined where one of them is no CIDR with room for pods. */
export function planNetwork(
  podCidrs: readonly string[],
  o: { readonly hairpin: HairpinMode; readonly mtu: number },
): Network | undefined {
  const ranges = podCidrs.map(planRange)
  if (ranges.length === 0 || !ranges.every((range) => range !== undefined)) return undefined
  return { name: 'cbr0', bridge: 'cni0', ranges, mtu: o.mtu, hairpin: o.hairpin }
}

function planRange(text: string): Range | undefined {
  const cidr = parseCidr(text)
  if (cidr === undefined || cidr.base.length * 8 - cidr.prefix < 2) return undefined
  return { cidr, gateway: hostAt(cidr, 1) }
}

/** The conflist that says the same to other CNI runtimes (CNI specification 1.1). */
export const renderConflist = (network: Network): string =>
  `${JSON.stringify({ cniVersion: '1.1.0', name: network.name, plugins: [pluginOf(network)] }, undefined, 2)}\n`

const pluginOf = (network: Network) => ({
  type: 'fairway',
  bridge: network.bridge,
  isDefaultGateway: true,
  hairpinMode: network.hairpin === 'hairpin-veth',
  promiscMode: network.hairpin === 'promiscuous-bridge',
  mtu: network.mtu,
  ipam: {
    type: 'host-local',
    ranges: network.ranges.map(({ cidr, gateway }) => [{ subnet: formatCidr(cidr), gateway }]),
  },
  capabilities: { portMappings: true },
})

/** The conflist of a node whose ranges stand in flannel's subnet.env. */
export const renderSubnetFileConflist = (subnetFile: string, hairpin: HairpinMode): string => {
  const modes = { hairpinMode: hairpin === 'hairpin-veth', promiscMode: hairpin === 'promiscuous-bridge' }
  const plugin = { type: 'fairway', bridge: 'cni0', isDefaultGateway: true, ...modes, subnetFile }
  const plugins = [{ ...plugin, capabilities: { portMappings: true } }]
  return `${JSON.stringify({ cniVersion: '1.0.0', name: 'cbr0', plugins }, undefined, 2)}\n`
}

/** Reads such a conflist again; undefined where the text is none of ours. */
export function parseConflist(text: string): Network | undefined {
  try {
    const { name, plugins } = JSON.parse(text) as { name?: unknown; plugins?: readonly ReturnType<typeof pluginOf>[] }
    const plugin = plugins?.find(({ type }) => type === 'fairway')
    if (typeof name !== 'string' || plugin === undefined) return undefined
    const ranges = plugin.ipam.ranges.map(([range]) => planRange(range?.subnet ?? ''))
    if (ranges.length === 0 || !ranges.every((range) => range !== undefined)) return undefined
    const hairpin = plugin.hairpinMode ? 'hairpin-veth' : plugin.promiscMode ? 'promiscuous-bridge' : 'none'
    return { name, bridge: plugin.bridge, ranges, mtu: plugin.mtu, hairpin }
  } catch {
    return undefined
  }
}
