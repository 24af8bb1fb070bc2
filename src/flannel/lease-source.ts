// Where leases come from and go to: the interface between flannel and Kubernetes (or another keeper of leases).

import type { Ip } from '#lib/ip.ts'
import type { Announcement } from '#flannel/annotations.ts'
import type { Problem } from '#flannel/backend.ts'
import type { Family, Lease, Subnets } from '#flannel/lease.ts'

export interface LeaseSource {
  /** Resolves when all leases are known; rejects when it is ended before. */
  readonly synced: Promise<void>
  readonly isSynced: boolean
  leases(): Iterable<Lease>
  /** Says who we are, before we have a range: where ranges are taken and not given, this takes one. */
  claim(announcement: Announcement): void
  /** the addresses that the others reach us by, where the keeper knows them */
  publicIps(): { readonly [F in Family]?: Ip }
  /** our own ranges; a text says why there are none yet */
  ownSubnets(): Subnets | string
  /** Tells the others about us, where they do not know it yet. Throws what the client throws. */
  announce(announcement: Announcement): Promise<void>
  /** Pods may come: we are reachable. */
  complete(): Promise<void>
  /** Says at this node whose pods cannot be reached from it, and why; nothing: all can. Throws what the client throws. */
  report(problems: readonly Problem[]): Promise<void>
  /** Tells whoever looks at this node that something is wrong. */
  warn(reason: string, message: string): void
}
