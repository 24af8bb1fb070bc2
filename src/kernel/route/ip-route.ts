// Routes over rtnetlink: linux/rtnetlink.h (rtmsg).
import { formatCidr, parseCidr } from '#lib/cidr.ts'
import { formatIp, ipFamily, parseIp } from '#lib/ip.ts'
import { decodeAttributes, type Message, readU32 } from '#kernel/netlink/message.ts'
import type { MessageWriter } from '#kernel/netlink/message-writer.ts'
import { type Family, familyNumber } from '#kernel/route/family.ts'

export type IpRoute = {
  readonly family: Family
  /** `10.244.1.0/24`, or `default`. */
  readonly destination: string
  readonly via?: string
  /** Index of the interface. */
  readonly link?: number
  readonly source?: string
  readonly metric?: number
  readonly mtu?: number
  readonly table: number
  readonly scope: number
  readonly protocol: number
  readonly type: RouteType
  /** The next hop is reached on the link although no address says so. */
  readonly onlink: boolean
  /** Its interface is down or has no carrier. */
  readonly dead?: true
  /** Several ways, over which the kernel spreads flows by weight. */
  readonly hops?: readonly RouteHop[]
}

export type RouteHop = {
  readonly via?: string
  readonly link: number
  readonly weight: number
  readonly dead?: true
}

export type NewRoute = {
  readonly destination: string
  /** Needed where neither destination nor next hop tell it (`default` without `via`). */
  readonly family?: Family
  readonly via?: string
  readonly link?: number
  readonly onlink?: boolean
  readonly source?: string
  readonly scope?: 'universe' | 'link' | 'host'
  readonly metric?: number
  readonly mtu?: number
  /** Default: main (254). */
  readonly table?: number
  readonly type?: keyof typeof types
  /** Who set it, linux/rtnetlink.h RTPROT_*; default boot (3), as `ip route` sets. */
  readonly protocol?: number
}

export type RouteType = keyof typeof types | 'other'

export const RTM_ROUTE = { new: 24, delete: 25, get: 26 } as const
export const mainTable = 254
const RTA = {
  destination: 1,
  link: 4,
  gateway: 5,
  metric: 6,
  source: 7,
  metrics: 8,
  multipath: 9,
  table: 15,
  via: 18,
} as const
const RTAX_MTU = 2
const RTNH_F_ONLINK = 4
/** dead, or linkdown */
const RTNH_F_GONE = 1 | 16
const RTM_F_CLONED = 0x200
const types = { unicast: 1, local: 2, broadcast: 3, multicast: 5, blackhole: 6, unreachable: 7, prohibit: 8 } as const
const scopes = { universe: 0, link: 253, host: 254, nowhere: 255 } as const

export function encodeRoute(writer: MessageWriter, route: NewRoute): void {
  const isPlain = route.type === undefined || route.type === 'unicast'
  const scope = route.via === undefined && isPlain && familyOf(route) === 4 ? 'link' : 'universe'
  encode(writer, route, { type: types.unicast, scope: scopes[scope], protocol: 3 })
}

/** What is not said of the route to delete may be anything. */
export function encodeRouteDelete(writer: MessageWriter, route: NewRoute): void {
  encode(writer, route, { type: 0, scope: scopes.nowhere, protocol: 0 })
}

function encode(
  writer: MessageWriter,
  route: NewRoute,
  defaults: { readonly type: number; readonly scope: number; readonly protocol: number },
): void {
  const family = familyOf(route)
  const destination = route.destination === 'default' ? undefined : parseCidr(route.destination)
  if (destination === undefined && route.destination !== 'default')
    throw new TypeError(`not a network: ${route.destination}`)
  const table = route.table ?? mainTable
  writer
    .u8(familyNumber(family))
    .u8(destination?.prefix ?? 0)
    .u8(0)
    .u8(0)
    .u8(table < 256 ? table : 0)
    .u8(route.protocol ?? defaults.protocol)
    .u8(route.scope === undefined ? defaults.scope : scopes[route.scope])
    .u8(route.type === undefined ? defaults.type : types[route.type])
    .u32(route.onlink ? RTNH_F_ONLINK : 0)
  if (destination) writer.attribute(RTA.destination, destination.base)
  if (route.link !== undefined) writer.attributeU32(RTA.link, route.link)
  if (route.via !== undefined) encodeNextHop(writer, family, route.via)
  if (route.source !== undefined) writer.attribute(RTA.source, parseIp(route.source)!)
  if (route.metric !== undefined) writer.attributeU32(RTA.metric, route.metric)
  if (route.mtu !== undefined) writer.nest(RTA.metrics, () => writer.attributeU32(RTAX_MTU, route.mtu!))
  writer.attributeU32(RTA.table, table)
}

export function encodeRouteQuery(
  writer: MessageWriter,
  filter: { readonly family?: Family; readonly table?: number; readonly link?: number },
): void {
  writer.u8(familyNumber(filter.family)).u8(0).u8(0).u8(0).u8(0).u8(0).u8(0).u8(0).u32(0)
  if (filter.table !== undefined) writer.attributeU32(RTA.table, filter.table)
  if (filter.link !== undefined) writer.attributeU32(RTA.link, filter.link)
}

/** Undefined for cached exceptions, which are no routes. */
export function decodeRoute(message: Message): IpRoute | undefined {
  const header = message.payload
  const flags = readU32(header.subarray(8))
  if ((flags & RTM_F_CLONED) !== 0) return undefined
  const attributes = decodeAttributes(header, 12)
  const family: Family = header[0] === 10 ? 6 : 4
  const number = (type: number) => {
    const bytes = attributes.get(type)
    return bytes === undefined ? undefined : readU32(bytes)
  }
  const destination = attributes.get(RTA.destination)
  const gateway = attributes.get(RTA.gateway) ?? attributes.get(RTA.via)?.subarray(2)
  const source = attributes.get(RTA.source)
  const link = number(RTA.link)
  const metric = number(RTA.metric)
  const mtu = decodeAttributes(attributes.get(RTA.metrics)).get(RTAX_MTU)
  const multipath = attributes.get(RTA.multipath)
  return {
    family,
    destination: destination ? formatCidr({ base: destination, prefix: header[1]! }) : 'default',
    ...(gateway && { via: formatIp(gateway) }),
    ...(link !== undefined && { link }),
    ...(source && { source: formatIp(source) }),
    ...(metric !== undefined && { metric }),
    ...(mtu && { mtu: readU32(mtu) }),
    table: number(RTA.table) ?? header[4]!,
    scope: header[6]!,
    protocol: header[5]!,
    type: (Object.entries(types).find(([, type]) => type === header[7])?.[0] ?? 'other') as RouteType,
    onlink: (flags & RTNH_F_ONLINK) !== 0,
    ...((flags & RTNH_F_GONE) !== 0 && { dead: true }),
    ...(multipath && { hops: decodeHops(multipath) }),
  }
}

/** linux/rtnetlink.h rtnexthop: length, flags, weight less one, interface; then attributes. */
function decodeHops(bytes: Uint8Array): RouteHop[] {
  const hops: RouteHop[] = []
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let at = 0; at + 8 <= bytes.length;) {
    const length = view.getUint16(at, true)
    if (length < 8) break
    const attributes = decodeAttributes(bytes.subarray(at, at + length), 8)
    const gateway = attributes.get(RTA.gateway) ?? attributes.get(RTA.via)?.subarray(2)
    hops.push({
      ...(gateway && { via: formatIp(gateway) }),
      link: view.getUint32(at + 4, true),
      weight: bytes[at + 3]! + 1,
      ...((bytes[at + 2]! & RTNH_F_GONE) !== 0 && { dead: true }),
    })
    at += (length + 3) & ~3
  }
  return hops
}

/** An IPv4 route may have an IPv6 next hop; the kernel wants that in another attribute. */
function encodeNextHop(writer: MessageWriter, family: Family, via: string): void {
  const hop = parseIp(via)
  if (hop === undefined) throw new TypeError(`not an address: ${via}`)
  if ((hop.length === 16 ? 6 : 4) === family) writer.attribute(RTA.gateway, hop)
  else writer.attribute(RTA.via, Uint8Array.of(familyNumber(6), 0, ...hop))
}

function familyOf(route: NewRoute): Family {
  if (route.family !== undefined) return route.family
  const text = route.destination === 'default' ? route.via : route.destination.split('/')[0]
  const family = text === undefined ? undefined : ipFamily(text)
  if (family === undefined) throw new TypeError(`of which family is the route to ${route.destination}?`)
  return family
}
