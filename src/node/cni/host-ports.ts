// effect: nftables
// Ports of the node that lead into pods: one table per address family, whose map has an element for each port, named after
// the pod's attachment. `nft list table ip fairway-hostports` shows them.
import { commentBytes, NftBatch } from '#kernel/nftables/batch.ts'
import * as e from '#kernel/nftables/expression.ts'
import { NftablesError, openNftables, type Nftables } from '#kernel/nftables/nftables.ts'
import { writeSysctls } from '#kernel/sysctl.ts'
import { addToIp, formatIp, ipFamily, parseIp } from '#lib/ip.ts'
import type { Attachment, Owner } from '#node/cni/attachment.ts'
import type { Network } from '#node/cni/network.ts'

export type HostPort = {
  readonly protocol: 'TCP' | 'UDP' | 'SCTP'
  readonly containerPort: number
  readonly hostPort: number
  /** '' or an unspecified address: every address of the node */
  readonly hostIp: string
}

/** Another pod has the port. */
export class HostPortTaken extends Error {
  readonly code = 'HostPortTaken'
}

type Family = 4 | 6
const families: readonly Family[] = [4, 6]
const table = 'fairway-hostports'
const ports = 'ports'
const protocols = { TCP: 6, UDP: 17, SCTP: 132 } as const
/** As CNI's own port mapping marks what must be masqueraded. */
const mark = 0x2000
const masked = e.hostNumber(~mark)
const shapes = { 4: { bytes: 4, source: 12, destination: 16 }, 6: { bytes: 16, source: 8, destination: 24 } } as const

/** Throws HostPortTaken, after which nothing of these is mapped. */
export function mapHostPorts(network: Network, { owner, addresses }: Attachment, mapped: readonly HostPort[]): void {
  if (mapped.length === 0) return
  // What an attempt before this one has left behind leads to an address that may be another one now.
  unmapHostPorts(owner)
  for (const { ip } of addresses) {
    const family = ipFamily(ip)!
    const wanted = mapped.filter(({ hostIp }) => isAny(hostIp) || ipFamily(hostIp) === family)
    if (wanted.length === 0) continue
    using nftables = openNftables(family)
    ensureTable(nftables, family, network)
    const batch = new NftBatch(family, table)
    for (const one of wanted)
      batch.addElement(ports, keyOf(family, one), {
        data: concatenated(parseIp(ip)!, portBytes(one.containerPort)),
        comment: commentBytes(commentText(owner)),
      })
    try {
      nftables.commit(batch)
    } catch (error) {
      if (!(error instanceof NftablesError) || error.code !== 'EEXIST') throw error
      unmapHostPorts(owner)
      const list = wanted.map(({ hostPort, protocol }) => `${hostPort}/${protocol.toLowerCase()}`).join(', ')
      throw new HostPortTaken(`host port ${list}: another pod has it`)
    }
  }
  // For connections from the node's loopback address, which otherwise leaves by no link.
  writeSysctls({ [`net/ipv4/conf/${network.bridge}/route_localnet`]: 1 })
}

/** Repeatable. */
export const unmapHostPorts = (owner: Owner): void => removeWhere((comment) => comment === commentText(owner))

/** Those of attachments that are not `valid`. */
export const collectHostPorts = (isValid: (owner: Owner) => boolean): void =>
  removeWhere((comment) => {
    const [containerId = '', ifname = ''] = comment.split(' ')
    return !isValid({ containerId, ifname })
  })

/** What leads into an attachment now: `10080/tcp`. */
export function hostPortsOf(owner: Owner): readonly string[] {
  const found = new Set<string>()
  for (const family of families) {
    using nftables = openNftables(family)
    for (const { key, comment } of nftables.elements(table, ports))
      if (comment === commentText(owner)) {
        const at = shapes[family].bytes
        const protocol = Object.entries(protocols).find(([, number]) => number === key[at])?.[0] ?? ''
        found.add(`${(key[at + 4]! << 8) | key[at + 5]!}/${protocol.toLowerCase()}`)
      }
  }
  return [...found]
}

function removeWhere(isGone: (comment: string) => boolean): void {
  for (const family of families) {
    using nftables = openNftables(family)
    const gone = nftables.elements(table, ports).filter(({ comment = '' }) => isGone(comment))
    if (gone.length === 0) continue
    const batch = new NftBatch(family, table)
    for (const { key } of gone) batch.deleteElement(ports, key)
    nftables.commit(batch)
  }
}

function ensureTable(nftables: Nftables, family: Family, network: Network): void {
  if (nftables.table(table) !== undefined) return
  const batch = new NftBatch(family, table)
  // Of two that make it at the same time one is refused, so that no rule is there twice.
  batch.addTable('host ports of pods', { exclusive: true })
  const ip = family === 4 ? 'ipv4' : 'ipv6'
  batch.addSet({
    name: ports,
    key: [ip, 'protocol', 'port'],
    data: [ip, 'port'],
    comment: 'port of the node : pod (address 0: any of the node)',
  })
  batch.addSet({
    name: 'near',
    key: [ip],
    interval: true,
    comment: 'who must be masqueraded: pods here, the node itself',
  })
  for (const [first, end] of nearRanges(family, network)) {
    batch.addElement('near', first)
    batch.addElement('near', end, { isEnd: true })
  }
  // Before the Services, whose priority is -100.
  for (const hook of ['prerouting', 'output'] as const) {
    batch.addChain(hook, { base: { type: 'nat', hook, priority: -101 } })
    for (const [rule, comment] of translateRules(family)) batch.addRule(hook, rule, comment)
  }
  batch.addChain('postrouting', { base: { type: 'nat', hook: 'postrouting', priority: 99 } })
  batch.addRule('postrouting', [
    e.meta(0, 'mark'),
    e.bitwise(0, e.hostNumber(mark), e.hostNumber(0)),
    e.compare(0, false, e.hostNumber(0)),
    e.masquerade,
  ])
  try {
    nftables.commit(batch)
  } catch (error) {
    if (!(error instanceof NftablesError) || error.code !== 'EEXIST') throw error
  }
}

/** First address, and the one behind the last. */
function nearRanges(family: Family, { ranges }: Network): readonly (readonly [Uint8Array, Uint8Array])[] {
  const pods = ranges
    .filter(({ cidr }) => cidr.base.length === shapes[family].bytes)
    .map(({ cidr }) => [cidr.base, addToIp(cidr.base, 1n << BigInt(cidr.base.length * 8 - cidr.prefix))] as const)
  const loopback = family === 4 ? [[parseIp('127.0.0.0')!, parseIp('128.0.0.0')!] as const] : []
  return [...pods, ...loopback]
}

/** Registers as the key of the map has them: address, protocol, port; behind them what the map says. */
function translateRules(family: Family): readonly (readonly [readonly e.Expression[], string])[] {
  const { bytes, source, destination } = shapes[family]
  const words = bytes / 4
  const [protocol, port, podIp, podPort] = [words, words + 1, words + 2, 2 * words + 2]
  const isLocal = [e.addressType(0, 'destination'), e.compare(0, true, e.localAddressType)]
  const rest = [e.meta(protocol, 'protocol'), e.payload(port, 'transport', 2, 2)]
  const find = e.lookup(ports, 0, { to: podIp })
  const exact = [...isLocal, e.payload(0, 'network', destination, bytes), ...rest, find]
  const any = [...isLocal, e.load(0, new Uint8Array(bytes)), ...rest, find]
  const isNear = [e.payload(0, 'network', source, bytes), e.lookup('near', 0)]
  const setMark = [e.meta(0, 'mark'), e.bitwise(0, masked, e.hostNumber(mark)), e.setMark(0)]
  const translate = e.destinationNat(family, podIp, podPort)
  return [
    [[...isNear, ...exact, ...setMark], 'answers must come back this way'],
    [[...isNear, ...any, ...setMark], 'answers must come back this way'],
    [[...exact, translate], 'a port of one address'],
    [[...any, translate], 'a port of every address'],
  ]
}

function keyOf(family: Family, { hostIp, protocol, hostPort }: HostPort): Uint8Array {
  const address = isAny(hostIp) ? new Uint8Array(shapes[family].bytes) : parseIp(hostIp)!
  return concatenated(address, Uint8Array.of(protocols[protocol], 0, 0, 0), portBytes(hostPort))
}

const isAny = (hostIp: string): boolean => {
  const bytes = parseIp(hostIp)
  return bytes === undefined || ['0.0.0.0', '::'].includes(formatIp(bytes))
}
const portBytes = (port: number) => Uint8Array.of(port >> 8, port, 0, 0)
const concatenated = (...parts: readonly Uint8Array[]) => Uint8Array.from(parts.flatMap((part) => [...part]))
const commentText = ({ containerId, ifname }: Owner) => `${containerId} ${ifname}`
