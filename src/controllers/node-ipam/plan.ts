// Pod CIDRs: each node gets a range of its own out of the cluster's, one per family, in the order of registration.

import { type Node, nodes as nodeResource } from '#api/core.ts'
import type { Stored } from '#api/stored.ts'
import { type Act, eventAbout, patchOf } from '#client/control/act.ts'
import { type Cidr, containsIp, formatCidr, hostAt, parseCidr, placeOf } from '#lib/cidr.ts'
import { formatIp, parseIp } from '#lib/ip.ts'

/** A family's range and the prefix of a node's part of it. */
export type Pool = { readonly cidr: Cidr; readonly nodePrefix: number }

/** The usual size of a node's range: 256 addresses, and in IPv6 as many as a subnet has. */
export const usualPrefix = (cidr: Cidr): number => (cidr.base.length === 4 ? 24 : 64)

export function planPodCidrs(nodes: Iterable<Stored<Node>>, pools: readonly Pool[]): { readonly acts: readonly Act[] } {
  const all = [...nodes]
  const used = pools.map((pool) => new Set(all.flatMap((node) => placesOf(node, pool))))
  const waiting = all.filter((node) => node.metadata.deletionTimestamp === undefined && !node.spec.podCIDR)
  const acts: Act[] = []
  for (const node of waiting.sort(byRegistration)) {
    const places = pools.map((pool, i) => firstFree(pool, used[i]!))
    if (places.some((place) => place === undefined)) {
      const { name } = node.metadata
      acts.push(
        eventAbout(nodeResource, node, 'Normal', 'CIDRNotAvailable', `Node ${name} status is now: CIDRNotAvailable`),
      )
      continue
    }
    const podCIDRs = pools.map((pool, i) => {
      used[i]!.add(places[i]!)
      return rangeAt(pool, places[i]!)
    })
    acts.push(patchOf(nodeResource, node, { spec: { podCIDR: podCIDRs[0], podCIDRs } }))
  }
  return { acts }
}

function byRegistration(a: Stored<Node>, b: Stored<Node>): number {
  const [left, right] = [a.metadata, b.metadata]
  if (left.creationTimestamp !== right.creationTimestamp)
    return left.creationTimestamp < right.creationTimestamp ? -1 : 1
  return left.name < right.name ? -1 : 1
}

const hostBits = ({ cidr, nodePrefix }: Pool): number => cidr.base.length * 8 - nodePrefix
const sizeOfPool = ({ cidr, nodePrefix }: Pool): number => 2 ** (nodePrefix - cidr.prefix)

/** The places in a pool that a node's ranges take, whatever their size. */
function placesOf(node: Node, pool: Pool): readonly number[] {
  const ranges = node.spec?.podCIDRs ?? (node.spec?.podCIDR ? [node.spec.podCIDR] : [])
  return ranges.flatMap((text) => {
    const range = parseCidr(text)
    if (range === undefined || !containsIp(pool.cidr, range.base)) return []
    const first = Number(placeOf(pool.cidr, formatIp(range.base))! >> BigInt(hostBits(pool)))
    const count = 2 ** Math.max(0, pool.nodePrefix - range.prefix)
    return Array.from({ length: Math.min(count, sizeOfPool(pool) - first) }, (_, i) => first + i)
  })
}

function firstFree(pool: Pool, used: ReadonlySet<number>): number | undefined {
  for (let place = 0; place < sizeOfPool(pool); place++) if (!used.has(place)) return place
  return undefined
}

function rangeAt(pool: Pool, place: number): string {
  const base = parseIp(hostAt(pool.cidr, BigInt(place) << BigInt(hostBits(pool))))!
  return formatCidr({ base, prefix: pool.nodePrefix })
}
