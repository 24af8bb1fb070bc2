// Network interfaces over rtnetlink: linux/if_link.h, linux/rtnetlink.h (ifinfomsg). Pure: what is asked and what is heard.
import { formatIp, ipFamily, parseIp } from '#lib/ip.ts'
import { type Attributes, decodeAttributes, type Message } from '#kernel/netlink/message.ts'
import { readText, readU16be, readU32, readU8 } from '#kernel/netlink/message.ts'
import type { MessageWriter } from '#kernel/netlink/message-writer.ts'
import { encodeMac, formatMac } from '#kernel/route/mac.ts'

export type Link = {
  readonly index: number
  readonly name: string
  /** `veth`, `bridge`, `vxlan`, `tun` ...; none for lo and plain hardware. */
  readonly kind?: string
  readonly mac?: string
  readonly mtu: number
  readonly up: boolean
  /** The other end is up too, or the wire is plugged in. */
  readonly carrier: boolean
  readonly promiscuous: boolean
  readonly loopback: boolean
  /** Index of the bridge it is a port of. */
  readonly master?: number
  /** Index of the other end of a veth pair, or of the device that carries a vxlan; in `peerNetnsId` where that is set. */
  readonly peer?: number
  readonly peerNetnsId?: number
  readonly port?: BridgePort
  readonly vxlan?: VxlanData
}

export type BridgePort = {
  /** Frames may leave by the port that they came in by. */
  readonly hairpin: boolean
  readonly learning: boolean
  readonly flood: boolean
  readonly isolated: boolean
}

export type VxlanData = {
  readonly id: number
  /** UDP port that it listens on. */
  readonly port: number
  readonly local?: string
  /** Index of the device that carries it. */
  readonly device?: number
  readonly learning: boolean
  /** UDP checksums over IPv4. RFC 7348 wants none, and with them the kernel cuts and sums every packet itself. Default: none. */
  readonly checksum?: boolean
}

/** What every new link may have. `netns` is a pin's path; the link is made there and not here. */
export type LinkBasics = {
  readonly name: string
  readonly mac?: string
  readonly mtu?: number
  readonly up?: boolean
  /** Index of the bridge. */
  readonly master?: number
  readonly netns?: string
}

export type NewLink = LinkBasics &
  (
    | { readonly kind: 'veth'; readonly peer: LinkBasics }
    | { readonly kind: 'bridge'; readonly multicastSnooping?: boolean }
    | { readonly kind: 'vxlan'; readonly vxlan: VxlanData }
    | { readonly kind: 'dummy' }
  )

export type LinkChange = {
  readonly up?: boolean
  readonly promiscuous?: boolean
  readonly mtu?: number
  readonly mac?: string
  readonly name?: string
  /** Packets that wait for a slow reader, at most. */
  readonly queueLength?: number
  /** Index of the bridge; 0 takes it out. */
  readonly master?: number
  readonly netns?: string
}

export const RTM_LINK = { new: 16, delete: 17, get: 18, set: 19 } as const

const IFF = { up: 0x1, loopback: 0x8, promiscuous: 0x100, lowerUp: 0x10000 } as const
const IFLA = {
  address: 1,
  name: 3,
  mtu: 4,
  link: 5,
  master: 10,
  queueLength: 13,
  info: 18,
  netnsFd: 28,
  extMask: 29,
  promiscuity: 30,
  linkNetnsId: 37,
} as const
const INFO = { kind: 1, data: 2, slaveKind: 4, slaveData: 5 } as const
const VETH_PEER = 1
const BRIDGE_MULTICAST_SNOOPING = 23
const PORT = { hairpin: 4, learning: 8, flood: 9, isolated: 33 } as const
const VXLAN = { id: 1, device: 3, local: 4, learning: 7, port: 15, local6: 17, udpChecksum: 18 } as const
const SKIP_STATISTICS = 8

/** Answers an open file of the namespace pinned at a path. */
export type NetnsFile = (path: string) => number

export function encodeNewLink(writer: MessageWriter, link: NewLink, netnsFile: NetnsFile): void {
  encodeBasics(writer, link, netnsFile)
  writer.nest(IFLA.info, () => {
    writer.attributeText(INFO.kind, link.kind)
    writer.nest(INFO.data, () => {
      if (link.kind === 'veth') writer.nest(VETH_PEER, () => encodeBasics(writer, link.peer, netnsFile))
      if (link.kind === 'bridge' && link.multicastSnooping !== undefined)
        writer.attributeU8(BRIDGE_MULTICAST_SNOOPING, link.multicastSnooping ? 1 : 0)
      if (link.kind === 'vxlan') encodeVxlan(writer, link.vxlan)
    })
  })
}

export function encodeLinkChange(writer: MessageWriter, index: number, change: LinkChange, netnsFile: NetnsFile): void {
  const flag = (wanted: boolean | undefined, bit: number) => ({
    set: wanted ? bit : 0,
    mask: wanted === undefined ? 0 : bit,
  })
  const up = flag(change.up, IFF.up)
  const promiscuous = flag(change.promiscuous, IFF.promiscuous)
  encodeHeader(writer, index, up.set | promiscuous.set, up.mask | promiscuous.mask)
  if (change.name !== undefined) writer.attributeText(IFLA.name, change.name)
  if (change.queueLength !== undefined) writer.attributeU32(IFLA.queueLength, change.queueLength)
  encodeCommon(writer, change, netnsFile)
}

/** Which link: its index, or a name. */
export function encodeLinkQuery(writer: MessageWriter, link: number | string | undefined): void {
  encodeHeader(writer, typeof link === 'number' ? link : 0, 0, 0)
  if (typeof link === 'string') writer.attributeText(IFLA.name, link)
  writer.attributeU32(IFLA.extMask, SKIP_STATISTICS)
}

export function encodePortChange(writer: MessageWriter, index: number, port: Partial<BridgePort>): void {
  encodeHeader(writer, index, 0, 0)
  writer.nest(IFLA.info, () => {
    writer.attributeText(INFO.slaveKind, 'bridge')
    writer.nest(INFO.slaveData, () => {
      for (const name of ['hairpin', 'learning', 'flood', 'isolated'] as const)
        if (port[name] !== undefined) writer.attributeU8(PORT[name], port[name] ? 1 : 0)
    })
  })
}

export function decodeLink(message: Message): Link {
  const header = message.payload
  const attributes = decodeAttributes(header, 16)
  const flags = readU32(header.subarray(8))
  const info = decodeAttributes(attributes.get(IFLA.info))
  const kind = info.get(INFO.kind)
  const number = (type: number) => {
    const bytes = attributes.get(type)
    return bytes === undefined ? undefined : readU32(bytes)
  }
  const mac = attributes.get(IFLA.address)
  const master = number(IFLA.master)
  const peer = number(IFLA.link)
  const peerNetnsId = number(IFLA.linkNetnsId)
  const isPort = info.has(INFO.slaveKind) && readText(info.get(INFO.slaveKind)!) === 'bridge'
  const kindName = kind && readText(kind)
  return {
    index: readU32(header.subarray(4)),
    name: readText(attributes.get(IFLA.name)!),
    ...(kindName !== undefined && { kind: kindName }),
    ...(mac?.length === 6 && { mac: formatMac(mac) }),
    mtu: number(IFLA.mtu) ?? 0,
    up: (flags & IFF.up) !== 0,
    carrier: (flags & IFF.lowerUp) !== 0,
    promiscuous: (number(IFLA.promiscuity) ?? 0) > 0,
    loopback: (flags & IFF.loopback) !== 0,
    ...(master !== undefined && { master }),
    ...(peer !== undefined && { peer }),
    ...(peerNetnsId !== undefined && { peerNetnsId }),
    ...(isPort && { port: decodePort(decodeAttributes(info.get(INFO.slaveData))) }),
    ...(kindName === 'vxlan' && { vxlan: decodeVxlan(decodeAttributes(info.get(INFO.data))) }),
  }
}

function encodeHeader(writer: MessageWriter, index: number, flags: number, mask: number): void {
  writer.u8(0).u8(0).u16(0).u32(index).u32(flags).u32(mask)
}

function encodeBasics(writer: MessageWriter, link: LinkBasics, netnsFile: NetnsFile): void {
  encodeHeader(writer, 0, link.up ? IFF.up : 0, link.up ? IFF.up : 0)
  writer.attributeText(IFLA.name, link.name)
  encodeCommon(writer, link, netnsFile)
}

function encodeCommon(writer: MessageWriter, link: Omit<LinkBasics, 'name' | 'up'>, netnsFile: NetnsFile): void {
  if (link.mac !== undefined) writer.attribute(IFLA.address, encodeMac(link.mac))
  if (link.mtu !== undefined) writer.attributeU32(IFLA.mtu, link.mtu)
  if (link.master !== undefined) writer.attributeU32(IFLA.master, link.master)
  if (link.netns !== undefined) writer.attributeU32(IFLA.netnsFd, netnsFile(link.netns))
}

function encodeVxlan(writer: MessageWriter, vxlan: VxlanData): void {
  writer.attributeU32(VXLAN.id, vxlan.id).attributeU16be(VXLAN.port, vxlan.port)
  if (vxlan.device !== undefined) writer.attributeU32(VXLAN.device, vxlan.device)
  if (vxlan.local !== undefined)
    writer.attribute(ipFamily(vxlan.local) === 6 ? VXLAN.local6 : VXLAN.local, parseIp(vxlan.local)!)
  writer.attributeU8(VXLAN.learning, vxlan.learning ? 1 : 0)
  writer.attributeU8(VXLAN.udpChecksum, vxlan.checksum ? 1 : 0)
}

function decodeVxlan(data: Attributes): VxlanData {
  const local = data.get(VXLAN.local) ?? data.get(VXLAN.local6)
  const device = data.get(VXLAN.device)
  return {
    id: readU32(data.get(VXLAN.id)!),
    port: readU16be(data.get(VXLAN.port)!),
    ...(local && { local: formatIp(local) }),
    ...(device && readU32(device) !== 0 && { device: readU32(device) }),
    learning: isSet(data, VXLAN.learning),
    ...(isSet(data, VXLAN.udpChecksum) && { checksum: true }),
  }
}

const decodePort = (data: Attributes): BridgePort => ({
  hairpin: isSet(data, PORT.hairpin),
  learning: isSet(data, PORT.learning),
  flood: isSet(data, PORT.flood),
  isolated: isSet(data, PORT.isolated),
})

const isSet = (data: Attributes, type: number): boolean => {
  const bytes = data.get(type)
  return bytes !== undefined && readU8(bytes) !== 0
}
