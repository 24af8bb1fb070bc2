// Which interface the traffic between nodes takes, and the addresses that the others reach us by.

import { containsIp, formatCidr, masked, parseCidr } from '#lib/cidr.ts'
import { parseIp, type Ip } from '#lib/ip.ts'
import type { Address } from '#kernel/route/address.ts'
import type { IpRoute } from '#kernel/route/ip-route.ts'
import type { Link } from '#kernel/route/link.ts'
import { families, type Family } from '#flannel/lease.ts'

export type ExternalInterface = {
  readonly name: string
  readonly index: number
  readonly mtu: number
  readonly byFamily: { readonly [F in Family]?: ExternalAddress }
}
export type ExternalAddress = {
  /** our own address on the interface */
  readonly ip: Ip
  /** what the others are told; another one where we are behind NAT */
  readonly publicIp: Ip
  /** ranges whose addresses are reached on the interface without a router, `10.168.0.0/24` */
  readonly onLink: readonly string[]
}

export type Wish = {
  /** names or addresses, and patterns for names or addresses; the first that fits counts */
  readonly interfaces: readonly string[]
  readonly patterns: readonly string[]
  readonly publicIps: { readonly [F in Family]?: string }
  /** the interface by which this address is reached */
  readonly canReach?: string | undefined
  readonly families: readonly Family[]
  /** the interface that was chosen before: it stays while the default route is away */
  readonly last?: string | undefined
}
export type Machine = {
  readonly links: readonly Link[]
  readonly addresses: readonly Address[]
  readonly routes: readonly IpRoute[]
}

/** Takes what was wished for, or the interface of the default route. A text says why there is none. */
export function chooseInterface(machine: Machine, wish: Wish): ExternalInterface | string {
  const isWished = wish.interfaces.length + wish.patterns.length > 0
  const link = isWished
    ? wished(machine, wish)
    : (byReach(machine, wish.canReach) ??
      byAddress(machine, wish.publicIps) ??
      byDefaultRoute(machine, wish.families) ??
      machine.links.find(({ name }) => name === wish.last))
  if (link === undefined && isWished)
    return `no interface is ${[...wish.interfaces, ...wish.patterns].join(' or ')}; there are ${machine.links.map(({ name }) => name).join(', ')}`
  if (link === undefined)
    return 'no default route says which interface leads to the other nodes: choose one with --iface'
  const byFamily: { [F in Family]?: ExternalAddress } = {}
  for (const family of wish.families) {
    const own = usable(machine, family).filter((address) => address.link === link.index)
    const isMeant = (ip: Ip) => wish.interfaces.includes(ip) || wish.publicIps[family] === ip
    const first = own.find(({ ip }) => isMeant(ip)) ?? own[0]
    if (first === undefined) return `interface ${link.name} has no IPv${family} address`
    byFamily[family] = {
      ip: first.ip,
      publicIp: wish.publicIps[family] ?? first.ip,
      onLink: own.map(({ ip, prefix }) => formatCidr({ base: masked(parseIp(ip)!, prefix), prefix })),
    }
  }
  return { name: link.name, index: link.index, mtu: link.mtu, byFamily }
}

function wished({ links, addresses }: Machine, { interfaces, patterns }: Wish): Link | undefined {
  const ipsOf = (link: Link) => addresses.filter((address) => address.link === link.index).map(({ ip }) => ip)
  const fits = (test: (text: string) => boolean) =>
    links.find((link) => ipsOf(link).some(test)) ?? links.find(({ name }) => test(name))
  for (const wanted of interfaces) {
    const found = fits((text) => text === wanted)
    if (found !== undefined) return found
  }
  for (const pattern of patterns) {
    const expression = new RegExp(pattern)
    const found = fits((text) => expression.test(text))
    if (found !== undefined) return found
  }
  return undefined
}

/** By the longest range that has the address, as the kernel chooses. */
function byReach({ links, routes }: Machine, ip: string | undefined): Link | undefined {
  const fitting = routes.flatMap(({ destination, metric = 0, link }) => {
    const range = parseCidr(destination)
    return ip !== undefined && range !== undefined && containsIp(range, ip)
      ? [{ prefix: range.prefix, metric, link }]
      : []
  })
  const [best] = fitting.toSorted((a, b) => b.prefix - a.prefix || a.metric - b.metric)
  return best && links.find(({ index }) => index === best.link)
}

/** A public address that is our own says which interface it is. */
function byAddress({ links, addresses }: Machine, publicIps: Wish['publicIps']): Link | undefined {
  const own = addresses.find(({ ip, family }) => publicIps[family] === ip)
  return own && links.find(({ index }) => index === own.link)
}

function byDefaultRoute({ links, routes }: Machine, wanted: readonly Family[]): Link | undefined {
  for (const family of families.filter((family) => wanted.includes(family))) {
    const defaults = routes.filter((route) => route.family === family && route.destination === 'default')
    const [first] = defaults.toSorted((a, b) => (a.metric ?? 0) - (b.metric ?? 0))
    const link = links.find(({ index }) => index === first?.link)
    if (link !== undefined) return link
  }
  return undefined
}

const usable = ({ addresses }: Machine, family: Family) =>
  addresses.filter((address) => address.family === family && address.scope === 'global')
