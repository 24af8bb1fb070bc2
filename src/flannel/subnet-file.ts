// subnet.env: what CNI plugins read of the node's range. The very form of flannel's own file.

import { canonicalCidr, hostAt, parseCidr } from '#lib/cidr.ts'
import type { Family } from '#flannel/lease.ts'

export type SubnetFile = {
  readonly networks: { readonly [F in Family]?: string }
  readonly subnets: { readonly [F in Family]?: string }
  /** of pods: what is left of the link below */
  readonly mtu: number
  readonly masquerade: boolean
}

/** FLANNEL_SUBNET is the first address of the range that a bridge can have, with the range's length. */
export function renderSubnetFile({ networks, subnets, mtu, masquerade }: SubnetFile): string {
  const lines = ([4, 6] as const).flatMap((family) => {
    const [network, subnet] = [networks[family], subnets[family]]
    if (network === undefined || subnet === undefined) return []
    const prefix = family === 4 ? 'FLANNEL' : 'FLANNEL_IPV6'
    const range = parseCidr(subnet)!
    return [`${prefix}_NETWORK=${network}`, `${prefix}_SUBNET=${hostAt(range, 1)}/${range.prefix}`]
  })
  return `${[...lines, `FLANNEL_MTU=${mtu}`, `FLANNEL_IPMASQ=${masquerade}`].join('\n')}\n`
}

/** The ranges that such a file names; undefined where it names none. */
export function parseSubnets(text: string): { readonly [F in Family]?: string } | undefined {
  const find = (name: string) => canonicalCidr(new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1] ?? '')
  const [v4, v6] = [find('FLANNEL_SUBNET'), find('FLANNEL_IPV6_SUBNET')]
  if (v4 === undefined && v6 === undefined) return undefined
  return { ...(v4 !== undefined && { 4: v4 }), ...(v6 !== undefined && { 6: v6 }) }
}
