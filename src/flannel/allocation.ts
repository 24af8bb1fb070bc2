// Which range a node may take, where flannel itself gives them out (etcd): SubnetLen, SubnetMin and SubnetMax of the
// configuration, by flannel's rules.

import { containsIp, formatCidr, masked, overlaps, parseCidr, type Cidr } from '#lib/cidr.ts'
import { addToIp, compareBytes, parseIp } from '#lib/ip.ts'
import { families, type Family, type Subnets } from '#flannel/lease.ts'
import type { NetworkConfig } from '#flannel/network-config.ts'

/** The ranges of one family that may be given: from `first` to `last`, each with this prefix. */
export type Pool = { readonly first: Uint8Array; readonly last: Uint8Array; readonly prefix: number }
export type Pools = { readonly [F in Family]?: Pool }

const names = {
  4: { length: 'SubnetLen', min: 'SubnetMin', max: 'SubnetMax', usual: 24, longest: 30 },
  6: { length: 'IPv6SubnetLen', min: 'IPv6SubnetMin', max: 'IPv6SubnetMax', usual: 64, longest: 126 },
} as const

/** `text`: net-conf.json, which parseNetworkConfig has read as `networks`. A text says what is wrong. */
export function parsePools(text: string, { networks }: Pick<NetworkConfig, 'networks'>): Pools | string {
  const value = JSON.parse(text) as Record<string, unknown>
  const config = Object.fromEntries(Object.entries(value).map(([key, one]) => [key.toLowerCase(), one]))
  const pools: { [F in Family]?: Pool } = {}
  for (const family of families) {
    const network = parseCidr(networks[family] ?? '')
    if (network === undefined) continue
    const pool = parsePool(config, family, network)
    if (typeof pool === 'string') return pool
    pools[family] = pool
  }
  return pools
}

function parsePool(config: Record<string, unknown>, family: Family, network: Cidr): Pool | string {
  const { length, min, max, usual, longest } = names[family]
  const said = (name: string) => config[name.toLowerCase()]
  if (network.prefix + 2 > longest) return `the network ${formatCidr(network)} is too small for four ranges`
  // The usual size where four of them fit, else a quarter of the network; 0 is what the original takes for nothing said.
  const prefix = said(length) || Math.max(usual, network.prefix + 2)
  const isTooLarge = Number(prefix) < network.prefix + 2
  if (typeof prefix !== 'number' || !Number.isInteger(prefix) || prefix > longest || isTooLarge)
    return `${length}: ${JSON.stringify(prefix)} must lie between ${network.prefix + 2} and ${longest}, so that four ranges fit into ${formatCidr(network)}`
  const step = 1n << BigInt(network.base.length * 8 - prefix)
  const end = addToIp(network.base, 1n << BigInt(network.base.length * 8 - network.prefix))
  // The first range is left out: its first address is the network's own.
  const first = said(min) === undefined ? addToIp(network.base, step) : addressOf(said(min))
  const last = said(max) === undefined ? addToIp(end, -step) : addressOf(said(max))
  if (first === undefined || last === undefined) {
    const key = first === undefined ? min : max
    return `${key} must be an address, not ${JSON.stringify(said(key))}`
  }
  for (const [key, address] of [
    [min, first],
    [max, last],
  ] as const) {
    if (!containsIp(network, address)) return `${key} is not in the network ${formatCidr(network)}`
    if (compareBytes(masked(address, prefix), address) !== 0) return `${key} is not at the start of a /${prefix}`
  }
  if (compareBytes(first, last) > 0) return `${min} lies behind ${max}`
  return { first, last, prefix }
}

const addressOf = (value: unknown) => (typeof value === 'string' ? parseIp(value) : undefined)

/** Whether these ranges could have been given out of the pools: all families there, each of the right size and place. */
export function fits(pools: Pools, subnets: Subnets): boolean {
  return families.every((family) => {
    const pool = pools[family]
    const range = parseCidr(subnets[family] ?? '')
    if (pool === undefined || range === undefined) return pool === undefined && range === undefined
    return (
      range.prefix === pool.prefix &&
      compareBytes(range.base, pool.first) >= 0 &&
      compareBytes(range.base, pool.last) <= 0
    )
  })
}

/** Beyond so many free ranges, the choice among them is wide enough. */
const most = 100

/** Free ranges, one per family, chosen by `random` (0 to below 1); undefined where a family has none left. */
export function chooseSubnets(pools: Pools, taken: readonly Subnets[], random: () => number): Subnets | undefined {
  const chosen: { [F in Family]?: string } = {}
  for (const family of families) {
    const pool = pools[family]
    if (pool === undefined) continue
    const free = freeRanges(
      pool,
      taken.flatMap((subnets) => parseCidr(subnets[family] ?? '') ?? []),
    )
    const range = free[Math.floor(random() * free.length)]
    if (range === undefined) return undefined
    chosen[family] = formatCidr(range)
  }
  return chosen
}

function freeRanges({ first, last, prefix }: Pool, taken: readonly Cidr[]): readonly Cidr[] {
  const step = 1n << BigInt(first.length * 8 - prefix)
  const free: Cidr[] = []
  for (let base = first; compareBytes(base, last) <= 0 && free.length < most; base = addToIp(base, step)) {
    const range = { base, prefix }
    if (!taken.some((other) => overlaps(range, other))) free.push(range)
  }
  return free
}
