// Leases as flannel keeps them in etcd v3: keys `PREFIX/subnets/10.244.1.0-24` (with `&fd00:1::-64` behind it for both families),
// values in JSON. The very form of the original, so that both can serve the same network, node by node.

import { formatCidr, parseCidr } from '#lib/cidr.ts'
import { canonicalIp } from '#lib/ip.ts'
import type { Announcement } from '#flannel/annotations.ts'
import { families, untypedBackend, type Family, type FamilyLease, type Lease, type Subnets } from '#flannel/lease.ts'

export type EtcdLease = { readonly subnets: Subnets; readonly lease: Lease }

/** Another one separates two networks in one etcd. */
export const defaultEtcdPrefix = '/coreos.com/network'

export const configKey = (prefix: string): string => `${prefix}/config`

/** All keys of leases: from `key` to before `end`. */
export const leaseRange = (prefix: string) => ({ key: `${prefix}/subnets/`, end: `${prefix}/subnets0` })

export const leaseKey = (prefix: string, subnets: Subnets): string =>
  `${prefix}/subnets/${families.flatMap((family) => subnets[family]?.replace('/', '-') ?? []).join('&')}`

/** The ranges in a key; undefined where it is none of a lease. */
export function parseLeaseKey(prefix: string, key: string): Subnets | undefined {
  const start = `${prefix}/subnets/`
  if (!key.startsWith(start)) return undefined
  const subnets: { [F in Family]?: string } = {}
  for (const part of key.slice(start.length).split('&')) {
    const at = part.lastIndexOf('-')
    const cidr = parseCidr(`${part.slice(0, at)}/${part.slice(at + 1)}`)
    if (at === -1 || cidr === undefined) return undefined
    subnets[cidr.base.length === 4 ? 4 : 6] = formatCidr(cidr)
  }
  return subnets
}

const fields = { 4: { ip: 'PublicIP', data: 'BackendData' }, 6: { ip: 'PublicIPv6', data: 'BackendV6Data' } } as const

export function encodeLease({ backendType, byFamily }: Announcement): string {
  const value: Record<string, unknown> = {
    PublicIP: byFamily[4]?.publicIp ?? '0.0.0.0',
    PublicIPv6: byFamily[6]?.publicIp ?? null,
    BackendType: backendType,
  }
  for (const family of families) {
    const data = byFamily[family]?.data
    if (data !== undefined && data !== 'null') value[fields[family].data] = JSON.parse(data) as unknown
  }
  return JSON.stringify(value)
}

/** Undefined for what is none. A lease has no node's name: it is called by its public address. */
export function decodeLease(prefix: string, key: string, text: string): EtcdLease | undefined {
  const subnets = parseLeaseKey(prefix, key)
  let value: Record<string, unknown>
  try {
    value = JSON.parse(text) as Record<string, unknown>
  } catch {
    return undefined
  }
  if (subnets === undefined || typeof value !== 'object' || value === null) return undefined
  const byFamily: { [F in Family]?: FamilyLease } = {}
  for (const family of families) {
    const subnet = subnets[family]
    const said = value[fields[family].ip]
    const publicIp = typeof said === 'string' ? canonicalIp(said) : undefined
    if (subnet !== undefined && publicIp !== undefined)
      byFamily[family] = { subnet, publicIp, data: JSON.stringify(value[fields[family].data] ?? null) }
  }
  const node = byFamily[4]?.publicIp ?? byFamily[6]?.publicIp
  if (node === undefined) return undefined
  const said = typeof value['BackendType'] === 'string' ? value['BackendType'] : ''
  const backendType = said || untypedBackend
  return { subnets, lease: { node, createdAt: '', backendType, byFamily } }
}
