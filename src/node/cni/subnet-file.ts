// subnet.env: what flannel (ours or the original) tells CNI plugins of the node's ranges.

import { canonicalCidr } from '#lib/cidr.ts'

export type SubnetFile = {
  /** the node's own ranges, IPv4 before IPv6: `10.244.1.0/24` */
  readonly subnets: readonly string[]
  /** of all pods, in the same order */
  readonly networks: readonly string[]
  /** of pods */
  readonly mtu: number
  /** flannel masquerades, so that nobody else need */
  readonly masquerades: boolean
}

/** Undefined where the text has no range or no MTU. */
export function parseSubnetFile(text: string): SubnetFile | undefined {
  const values = new Map(
    text.split('\n').flatMap((line) => {
      const at = line.indexOf('=')
      return at === -1 ? [] : [[line.slice(0, at).trim(), line.slice(at + 1).trim()] as const]
    }),
  )
  const both = (name: string) =>
    ['FLANNEL', 'FLANNEL_IPV6'].flatMap((prefix) => canonicalCidr(values.get(`${prefix}_${name}`) ?? '') ?? [])
  const subnets = both('SUBNET')
  const mtu = Number(values.get('FLANNEL_MTU'))
  if (subnets.length === 0 || !Number.isInteger(mtu) || mtu <= 0) return undefined
  return { subnets, networks: both('NETWORK'), mtu, masquerades: values.get('FLANNEL_IPMASQ') === 'true' }
}
