// A lease: which range of pod addresses a node has, and how the others reach it.

import type { Ip } from '#lib/ip.ts'

export type Family = 4 | 6
export const families: readonly Family[] = [4, 6]

/** One node's part in one address family. */
export type FamilyLease = {
  /** `10.244.1.0/24` */
  readonly subnet: string
  /** where the node receives what is for its pods */
  readonly publicIp: Ip
  /** what the node's back end tells the others, in JSON: `null`, `{"VNI":1,"VtepMAC":"..."}` */
  readonly data: string
}

/** What a lease without a type means: the original's udp back end says none. */
export const untypedBackend = 'udp'

export type Lease = {
  readonly node: string
  /** RFC 3339; of two leases that overlap, the older one counts */
  readonly createdAt: string
  readonly backendType: string
  readonly byFamily: { readonly [F in Family]?: FamilyLease }
}

/** A lease as one back end in one family sees it. */
export type Peer = FamilyLease & { readonly node: string }

/** One node's ranges. */
export type Subnets = { readonly [F in Family]?: string }
