// A Node of Kubernetes as a lease: its podCIDRs and flannel's annotations, in the very form that flannel itself writes and
// reads, so that both can serve the same cluster, node by node.

import { canonicalCidr, parseCidr } from '#lib/cidr.ts'
import { canonicalIp } from '#lib/ip.ts'
import { families, untypedBackend, type Family, type FamilyLease, type Lease } from '#flannel/lease.ts'
import type { NodeView } from '#flannel/state.ts'

/** The default prefix; another one separates two flannels on the same nodes. */
export const defaultPrefix = 'flannel.alpha.coreos.com'

export type Keys = {
  readonly managed: string
  readonly backendType: string
  readonly byFamily: Readonly<
    Record<
      Family,
      {
        readonly data: string
        readonly publicIp: string
        /** who knows better says here what the others shall be told ... */
        readonly overwrite: string
        /** ... and here what the node shall take for its public address, in place of --public-ip */
        readonly given: string
      }
    >
  >
}

/** The annotations' names. A prefix may bring its own slash: `example.org/pods` gives `example.org/pods-public-ip`. */
export function keysOf(prefix: string): Keys {
  const start = prefix.includes('/') ? (/[/-]$/.test(prefix) ? prefix : `${prefix}-`) : `${prefix}/`
  return {
    managed: `${start}kube-subnet-manager`,
    backendType: `${start}backend-type`,
    byFamily: {
      4: {
        data: `${start}backend-data`,
        publicIp: `${start}public-ip`,
        overwrite: `${start}public-ip-overwrite`,
        given: `${start}node-public-ip`,
      },
      6: {
        data: `${start}backend-v6-data`,
        publicIp: `${start}public-ipv6`,
        overwrite: `${start}public-ipv6-overwrite`,
        given: `${start}node-public-ipv6`,
      },
    },
  }
}

/** The node's range in a family, from podCIDRs, or from podCIDR on nodes of old; undefined where it has none (yet). */
export function subnetOf(node: NodeView, family: Family): string | undefined {
  const found = node.podCidrs.find((text) => parseCidr(text)?.base.length === (family === 4 ? 4 : 16))
  return found && canonicalCidr(found)
}

/** Undefined where flannel does not run on the node (yet), or says nothing that one could use. */
export function leaseOf(node: NodeView, keys: Keys): Lease | undefined {
  const { annotations } = node
  if (annotations[keys.managed] !== 'true') return undefined
  const byFamily: { [F in Family]?: FamilyLease } = {}
  for (const family of families) {
    const { publicIp, data } = keys.byFamily[family]
    const subnet = subnetOf(node, family)
    const ip = canonicalIp(annotations[publicIp] ?? '')
    if (subnet !== undefined && ip !== undefined)
      byFamily[family] = { subnet, publicIp: ip, data: annotations[data] ?? 'null' }
  }
  return {
    node: node.name,
    createdAt: node.createdAt,
    backendType: annotations[keys.backendType] || untypedBackend,
    byFamily,
  }
}

/** What we tell the others about ourselves. */
export type Announcement = {
  readonly backendType: string
  readonly byFamily: { readonly [F in Family]?: { readonly publicIp: string; readonly data: string } }
}

/** The annotations that the node lacks or has otherwise; empty where all is well. */
export function missingAnnotations(node: NodeView, announcement: Announcement, keys: Keys): Record<string, string> {
  const wanted: Record<string, string> = { [keys.managed]: 'true', [keys.backendType]: announcement.backendType }
  for (const family of families) {
    const said = announcement.byFamily[family]
    if (said === undefined) continue
    const { publicIp, data, overwrite } = keys.byFamily[family]
    // Someone who knows better (a node behind NAT) says so in an annotation of its own.
    wanted[publicIp] = node.annotations[overwrite] || said.publicIp
    wanted[data] = said.data
  }
  return Object.fromEntries(Object.entries(wanted).filter(([key, value]) => node.annotations[key] !== value))
}
