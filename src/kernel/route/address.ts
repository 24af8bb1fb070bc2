// Addresses of interfaces over rtnetlink: linux/if_addr.h (ifaddrmsg).
import { formatIp, parseIp } from '#lib/ip.ts'
import { decodeAttributes, type Message, readText, readU32 } from '#kernel/netlink/message.ts'
import type { MessageWriter } from '#kernel/netlink/message-writer.ts'
import { familyNumber, type Family } from '#kernel/route/family.ts'

export type Address = {
  /** Index of the interface. */
  readonly link: number
  readonly family: Family
  readonly ip: string
  readonly prefix: number
  /** The other end of a point-to-point link. */
  readonly peer?: string
  readonly label?: string
  readonly scope: 'global' | 'link' | 'host' | 'site'
  /** Duplicate address detection is not through: the address cannot be used yet. */
  readonly tentative: boolean
}

export const RTM_ADDRESS = { new: 20, delete: 21, get: 22 } as const
const IFA = { address: 1, local: 2, label: 3, broadcast: 4, flags: 8 } as const
const IFA_F = { noDuplicateDetection: 0x2, tentative: 0x40 } as const
const scopes = { global: 0, site: 200, link: 253, host: 254 } as const

export type NewAddress = {
  /** `10.244.0.1/24`: the address itself with its network's prefix. */
  readonly cidr: string
  readonly scope?: Address['scope']
}

/** IPv6 addresses are usable at once: no duplicate detection, for who sets addresses here knows the network. */
export function encodeAddress(writer: MessageWriter, link: number, { cidr, scope = 'global' }: NewAddress): void {
  const { bytes, prefix } = parseAddress(cidr)
  const isV6 = bytes.length === 16
  writer
    .u8(familyNumber(isV6 ? 6 : 4))
    .u8(prefix)
    .u8(0)
    .u8(scopes[scope])
    .u32(link)
  writer.attribute(IFA.local, bytes).attribute(IFA.address, bytes)
  if (isV6) writer.attributeU32(IFA.flags, IFA_F.noDuplicateDetection)
  else if (prefix < 31 && scope === 'global') writer.attribute(IFA.broadcast, broadcastOf(bytes, prefix))
}

export function encodeAddressQuery(writer: MessageWriter, family: Family | undefined, link: number): void {
  writer.u8(familyNumber(family)).u8(0).u8(0).u8(0).u32(link)
}

export function decodeAddress(message: Message): Address {
  const header = message.payload
  const attributes = decodeAttributes(header, 8)
  const peer = attributes.get(IFA.address)
  const local = attributes.get(IFA.local) ?? peer!
  const flags = attributes.get(IFA.flags)
  const label = attributes.get(IFA.label)
  const ip = formatIp(local)
  return {
    link: readU32(header.subarray(4)),
    family: local.length === 16 ? 6 : 4,
    ip,
    prefix: header[1]!,
    ...(peer && formatIp(peer) !== ip && { peer: formatIp(peer) }),
    ...(label && { label: readText(label) }),
    scope: (Object.entries(scopes).find(([, number]) => number === header[3])?.[0] ?? 'global') as Address['scope'],
    tentative: ((flags ? readU32(flags) : header[2]!) & IFA_F.tentative) !== 0,
  }
}

function parseAddress(cidr: string): { readonly bytes: Uint8Array; readonly prefix: number } {
  const [ip, length] = cidr.split('/')
  const bytes = parseIp(ip!)
  if (bytes === undefined) throw new TypeError(`not an address: ${cidr}`)
  return { bytes, prefix: length === undefined ? bytes.length * 8 : Number(length) }
}

const broadcastOf = (bytes: Uint8Array, prefix: number): Uint8Array =>
  bytes.map((byte, i) => byte | (0xff >> Math.min(8, Math.max(0, prefix - i * 8))))
