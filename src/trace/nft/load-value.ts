// What rules of nftables can ask about a packet, as the bytes that the kernel would load.

import type { NftInstruction, NftPayload } from '#kernel/nftables/ruleset.ts'
import { addressType, addressTypeOn } from '#trace/address-type.ts'
import type { Machine } from '#trace/machine.ts'
import { big16, host32, type Loaded } from '#trace/nft/registers.ts'
import {
  type Connection,
  familyOf,
  hasPorts,
  type Packet,
  protocolNumber,
  replyTuple,
  trackedState,
  type Tuple,
} from '#trace/packet.ts'
import type { Place } from '#trace/place.ts'
import { addressBytes } from '#trace/ranges.ts'
import { lookupRoute } from '#trace/route/lookup.ts'

/** The kernel breaks off the rule where there is nothing to load. */
export type Load = Loaded | 'nothing'

const unknown = (what: string, length: number, missing?: string, type?: string): Loaded => ({
  what,
  length,
  ...(missing !== undefined && { missing }),
  ...(type !== undefined && { type }),
})

/** `key`: `iif`, `oifname` ... */
const unknownInterface = (way: 'in' | 'out', key: string): Loaded =>
  key.endsWith('name')
    ? unknown(`the packet goes ${way} by`, 16, 'ip addr, ip route', 'interface-name')
    : unknown(`the packet goes ${way} by`, 4, 'ip addr, ip route', 'interface')

const address = (ip: string, side: string, family: 4 | 6): Loaded =>
  addressBytes(ip) ?? unknown(`${side} (the node's own address)`, family === 4 ? 4 : 16, 'ip addr')

/** Of the packet, or of its connection: which seed was chosen for it, and the port of the client, are not known. */
export const loadHash = ({ below, of, seed }: Extract<NftInstruction, { kind: 'hash' }>, packet: Packet): Load => {
  const { source, destination } = packet
  const ends = of === undefined ? [source, destination].toSorted().join(' and ') : `${source} > ${destination}`
  return unknown(
    `the hash${of === undefined ? '' : ` (${of.length} bytes, seed ${seed})`} of ${packet.answers ? 'the answer ' : ''}${packet.protocol} ${ends} below ${below} is`,
    4,
    undefined,
    'number',
  )
}

/** Bytes of a header; those that a trace does not fix are not known. */
export function loadPayload({ base, offset, length }: NftPayload, packet: Packet): Load {
  const family = familyOf(packet)
  const fields =
    base === 'network'
      ? networkFields(packet, family)
      : base === 'transport'
        ? transportFields(packet)
        : base === 'link'
          ? [{ at: 12, value: etherType(family) }]
          : []
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) {
    const field = fields.find((item) => offset + i >= item.at && offset + i < item.at + item.value.length)
    if (field === undefined || !(field.value instanceof Uint8Array))
      return unknown(
        field !== undefined && 'what' in field.value ? field.value.what : `the ${base} header at ${offset}`,
        length,
        field !== undefined && 'missing' in field.value ? field.value.missing : undefined,
      )
    bytes[i] = field.value[offset + i - field.at]!
  }
  return bytes
}

const etherType = (family: 4 | 6): Loaded => big16(family === 4 ? 0x0800 : 0x86dd)

type Field = { readonly at: number; readonly value: Loaded }

function networkFields(packet: Packet, family: 4 | 6): readonly Field[] {
  const number = protocolNumber(packet.protocol) ?? 255
  const [source, destination] = [
    address(packet.source, 'source', family),
    address(packet.destination, 'destination', family),
  ]
  return family === 4
    ? [
        { at: 0, value: Uint8Array.of(0x45, 0) },
        { at: 2, value: big16(packet.size) },
        { at: 6, value: big16(0x4000) },
        { at: 9, value: Uint8Array.of(number) },
        { at: 12, value: source },
        { at: 16, value: destination },
      ]
    : [
        { at: 0, value: Uint8Array.of(0x60, 0) },
        { at: 4, value: big16(Math.max(0, packet.size - 40)) },
        { at: 6, value: Uint8Array.of(number) },
        { at: 8, value: source },
        { at: 24, value: destination },
      ]
}

function transportFields(packet: Packet): readonly Field[] {
  if (packet.error !== undefined) return [{ at: 0, value: Uint8Array.of(packet.error.type, packet.error.code) }]
  if (packet.protocol === 'icmp') return [{ at: 0, value: Uint8Array.of(packet.state === 'NEW' ? 8 : 0, 0) }]
  if (packet.protocol === 'icmpv6') return [{ at: 0, value: Uint8Array.of(packet.state === 'NEW' ? 128 : 129, 0) }]
  if (!hasPorts(packet.protocol)) return []
  const ports: readonly Field[] = [
    { at: 0, value: big16(packet.sourcePort) },
    { at: 2, value: big16(packet.destinationPort) },
  ]
  // SYN, and what answers it: SYN and ACK, or RST and ACK
  return packet.protocol === 'tcp'
    ? [...ports, { at: 13, value: Uint8Array.of(packet.reset === true ? 0x14 : packet.state === 'NEW' ? 0x02 : 0x12) }]
    : ports
}

function nameBytes(name: string): Uint8Array {
  const bytes = new Uint8Array(16)
  bytes.set(new TextEncoder().encode(name).subarray(0, 15))
  return bytes
}

function interfaceIndex(name: string, machine: Machine, side: string): Loaded {
  if (name === '') return host32(0)
  const link = machine.links?.find((item) => item.name === name)
  return link === undefined ? unknown(`the number of the interface ${side}`, 4, 'ip link') : host32(link.index)
}

/** What the kernel itself makes, or others have sent, is nobody's. */
function loadOwner(key: string, packet: Packet, { machine }: Place): Load {
  if (
    packet.inInterface !== '' ||
    packet.bridgePort !== undefined ||
    packet.reset === true ||
    packet.error !== undefined
  )
    return 'nothing'
  const program = packet.answers ? 'answers' : 'sends'
  return unknown(`the program that ${program} on ${machine.name} has ${key.slice(2)}`, 4, undefined, 'number')
}

export function loadMeta(key: string, packet: Packet, place: Place): Load {
  const { inInterface, outInterface } = packet
  const family = familyOf(packet)
  switch (key) {
    case 'length':
      return host32(packet.size)
    case 'protocol':
      return etherType(family)
    case 'nfproto':
      return Uint8Array.of(family === 4 ? 2 : 10)
    case 'l4proto':
      return Uint8Array.of(protocolNumber(packet.protocol) ?? 255)
    case 'mark':
      return host32(packet.mark)
    case 'iifname':
      return inInterface === undefined ? unknownInterface('in', key) : nameBytes(inInterface)
    case 'oifname':
      return outInterface === undefined ? unknownInterface('out', key) : nameBytes(outInterface)
    case 'iif':
      return inInterface === undefined ? unknownInterface('in', key) : interfaceIndex(inInterface, place.machine, 'in')
    case 'oif':
      return outInterface === undefined
        ? unknownInterface('out', key)
        : interfaceIndex(outInterface, place.machine, 'out')
    case 'ibrname':
    case 'obrname':
      return place.bridge === undefined ? unknown(`meta ${key}`, 16) : nameBytes(place.bridge)
    case 'pkttype':
      return Uint8Array.of(0)
    case 'nftrace':
      return Uint8Array.of(0)
    case 'priority':
    case 'secmark':
    case 'rtclassid':
      return host32(0)
    case 'skuid':
    case 'skgid':
      return loadOwner(key, packet, place)
    default:
      return unknown(`meta ${key}`, key.endsWith('kind') || key.endsWith('brname') ? 16 : 4)
  }
}

const stateBits: Readonly<Record<Packet['state'], number>> = {
  INVALID: 1,
  ESTABLISHED: 2,
  RELATED: 4,
  NEW: 8,
  UNTRACKED: 64,
}

export function loadConnection(key: string, direction: 'original' | 'reply' | undefined, packet: Packet): Load {
  if (key === 'state') return host32(stateBits[trackedState(packet)])
  const { connection } = packet
  if (connection === undefined) return 'nothing'
  const family = familyOf(packet)
  const tuple: Tuple = direction === 'reply' ? replyTuple(connection) : connection.original
  const ip = (text: string, side: string) => address(text, `${side} of the connection`, family)
  switch (key) {
    case 'direction':
      return Uint8Array.of(connection.direction === 'original' ? 0 : 1)
    case 'status':
      return host32(statusOf(connection, packet))
    case 'mark':
      return host32(connection.mark)
    case 'protocol':
      return Uint8Array.of(protocolNumber(packet.protocol) ?? 255)
    case 'l3protocol':
      return Uint8Array.of(family === 4 ? 2 : 10)
    case 'saddr':
    case 'saddr-ip':
    case 'saddr-ip6':
      return ip(tuple.source, 'source')
    case 'daddr':
    case 'daddr-ip':
    case 'daddr-ip6':
      return ip(tuple.destination, 'destination')
    case 'proto-src':
      return big16(tuple.sourcePort)
    case 'proto-dst':
      return big16(tuple.destinationPort)
    case 'zone':
      return Uint8Array.of(0, 0)
    default:
      return unknown(
        `ct ${key}`,
        key === 'label' || key === 'helper' ? 16 : key === 'packets' || key === 'bytes' ? 8 : 4,
        'conntrack -L',
      )
  }
}

/** IPS_* of linux/netfilter/nf_conntrack_common.h. */
const statusOf = (connection: Connection, packet: Packet): number =>
  (packet.state === 'ESTABLISHED' ? 0x2 | 0x8 : 0) |
  (connection.sourceNat ? 0x10 : 0) |
  (connection.destinationNat ? 0x20 : 0) |
  (connection.sourceDone ? 0x80 : 0) |
  (connection.destinationDone ? 0x100 : 0)

const addressTypes = { UNICAST: 1, LOCAL: 2, BROADCAST: 3, MULTICAST: 5 } as const

type Fib = Extract<NftInstruction, { kind: 'fib' }>

/** `fib daddr type`, `fib saddr . iif oif` ... */
export function loadFib({ result, by, isPresent }: Fib, packet: Packet, { machine }: Place): Load {
  const isSource = by.includes('saddr')
  const ip = isSource ? packet.source : packet.destination
  const side = isSource ? 'source' : 'destination'
  const device = by.includes('iif') ? packet.inInterface : by.includes('oif') ? packet.outInterface : ''
  if (result === 'type') {
    if (ip === '?') return host32(addressTypes.LOCAL)
    if (device === undefined) return unknown('the packet goes by', 4, 'ip addr, ip route')
    const type = device === '' ? addressType(ip, machine) : addressTypeOn(ip, machine, device)
    return type === undefined ? unknown(`${side} ${ip} is`, 4, 'ip addr', 'address-type') : host32(addressTypes[type])
  }
  const found = routeDevice(machine, packet, isSource, by.includes('mark'))
  if (typeof found !== 'string') return unknown(`the way to ${ip} is`, result === 'oifname' ? 16 : 4, found.missing)
  const name = device === undefined || device === '' || device === found ? found : ''
  if (isPresent) return Uint8Array.of(name === '' ? 0 : 1)
  return result === 'oifname' ? nameBytes(name) : interfaceIndex(name, machine, 'there')
}

/** '' where there is none, as for the machine's own addresses (net/ipv4/netfilter/nft_fib_ipv4.c). */
function routeDevice(
  machine: Machine,
  packet: Packet,
  isSource: boolean,
  withMark: boolean,
): string | { readonly missing: string } {
  if (packet.inInterface === 'lo') return 'lo'
  const routed = lookupRoute(machine, {
    family: familyOf(packet),
    destination: isSource ? packet.source : packet.destination,
    source: isSource ? packet.destination : packet.source,
    mark: withMark ? packet.mark : 0,
    incoming: '',
    protocol: packet.protocol,
    sourcePort: 0,
    destinationPort: 0,
  })[0]?.routed
  if (routed?.kind === 'unknown') return { missing: routed.missing }
  return routed?.kind === 'forward' ? routed.device : ''
}
