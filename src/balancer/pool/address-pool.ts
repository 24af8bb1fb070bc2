// The addresses that load balancers may have, and which one a Service gets. The Services themselves are the record of
// what is given away, so that nothing can be lost or leak.

import { type Service } from '#api/core.ts'
import { keyOf } from '#api/object-key.ts'
import type { Stored } from '#api/stored.ts'
import { parseCidr, sizeOf } from '#lib/cidr.ts'
import { addToIp, compareBytes, formatIp, parseIp } from '#lib/ip.ts'
import { byKey } from '#lib/sort.ts'

/** Both ends belong to it. */
export type Range = { readonly first: Uint8Array; readonly last: Uint8Array }
export type AddressPool = { readonly text: string; readonly ranges: readonly Range[] }

/** `10.168.0.200-10.168.0.239` or `10.168.0.224/28`; undefined: it is neither. */
export function parseRange(text: string): Range | undefined {
  const cidr = parseCidr(text)
  if (cidr !== undefined) return { first: cidr.base, last: addToIp(cidr.base, BigInt(sizeOf(cidr)) - 1n) }
  const [first, last, ...more] = text.split('-').map((end) => parseIp(end.trim()))
  if (!first || !last || more.length > 0 || first.length !== last.length || compareBytes(first, last) > 0)
    return undefined
  return { first, last }
}

export const isInPool = (ip: string, { ranges }: AddressPool): boolean => {
  const bytes = parseIp(ip)
  return (
    bytes !== undefined &&
    ranges.some(
      ({ first, last }) =>
        first.length === bytes.length && compareBytes(first, bytes) <= 0 && compareBytes(bytes, last) <= 0,
    )
  )
}

/** The addresses of the pool that a Service has by its status. */
export const addressesOf = ({ status }: Service, pool: AddressPool): readonly string[] =>
  (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => (ip !== undefined && isInPool(ip, pool) ? [ip] : []))

export type Chosen = { readonly ips: readonly string[] } | { readonly problem: string }

/** One address for each family of the Service that the pool has; what it has already stays, if it is nobody else's. */
export function chooseAddresses(service: Stored<Service>, all: Iterable<Stored<Service>>, pool: AddressPool): Chosen {
  const owners = new Map<string, string>()
  for (const other of [...all].sort(byKey(({ metadata }) => metadata.creationTimestamp)))
    if (other.metadata.uid !== service.metadata.uid)
      for (const ip of addressesOf(other, pool)) if (!owners.has(ip)) owners.set(ip, keyOf(other))
  const { loadBalancerIP: asked, ipFamilies = ['IPv4'] } = service.spec
  if (asked) return chooseAsked(asked, owners, pool)
  const kept = addressesOf(service, pool).filter((ip) => !owners.has(ip))
  const ips: string[] = []
  const full: string[] = []
  for (const family of ipFamilies) {
    const length = family === 'IPv6' ? 16 : 4
    const ranges = pool.ranges.filter(({ first }) => first.length === length)
    if (ranges.length === 0) continue
    const ip = kept.find((ip) => ip.includes(':') === (family === 'IPv6')) ?? firstFree(ranges, owners)
    if (ip === undefined) full.push(family)
    else ips.push(ip)
  }
  if (full.length > 0)
    return {
      problem: `no ${full.join(' or ')} address of the pool ${pool.text} is free (${owners.size} are in use): delete a Service of type LoadBalancer, or give a wider --address-pool`,
    }
  if (ips.length === 0) return { problem: `the pool ${pool.text} has no address of family ${ipFamilies.join(', ')}` }
  return { ips }
}

function chooseAsked(asked: string, owners: ReadonlyMap<string, string>, pool: AddressPool): Chosen {
  const bytes = parseIp(asked)
  if (bytes === undefined) return { problem: `loadBalancerIP: "${asked}" is no address` }
  const ip = formatIp(bytes)
  if (!isInPool(ip, pool)) return { problem: `loadBalancerIP: ${ip} is not in the pool ${pool.text}` }
  const owner = owners.get(ip)
  if (owner !== undefined) return { problem: `loadBalancerIP: ${ip} belongs to Service ${owner}` }
  return { ips: [ip] }
}

function firstFree(ranges: readonly Range[], owners: ReadonlyMap<string, string>): string | undefined {
  for (const { first, last } of ranges)
    for (let bytes = first; compareBytes(bytes, last) <= 0; bytes = addToIp(bytes, 1)) {
      const ip = formatIp(bytes)
      if (!owners.has(ip)) return ip
    }
  return undefined
}
