// What nat statements and refusals of nftables do.

import type { NftInstruction } from '#kernel/nftables/ruleset.ts'
import { formatIp } from '#lib/ip.ts'
import { destinationNat, masquerade, type Rewritten, sourceNat } from '#trace/nat.ts'
import { read, readBig16, type Registers } from '#trace/nft/registers.ts'
import { familyOf, type Packet } from '#trace/packet.ts'
import type { Place } from '#trace/place.ts'
import { type Way, withPacket } from '#trace/way.ts'

type Nat =
  | Extract<NftInstruction, { kind: 'nat' }>
  | Extract<NftInstruction, { readonly kind: 'masquerade' | 'redirect' }>

export function rewriteAct(one: Nat, registers: Registers, way: Way, place: Place): readonly Rewritten[] {
  const port = portOf(registers, one.port)
  if (one.kind === 'masquerade') return masquerade(way, place.machine)
  if (one.kind !== 'nat')
    return destinationNat(way, target(place.ownAddress(way.packet.inInterface, familyOf(way.packet)), port))
  const length = familyOf(way.packet) === 4 ? 4 : 16
  const address = addressOf(registers, one.address, length)
  if (one.address !== undefined && address === undefined)
    return [{ way: withPacket(way, {}), effect: 'goes to an address that is not known' }]
  const last = one.addressEnd === one.address ? undefined : addressOf(registers, one.addressEnd, length)
  const to =
    last === undefined || last === address
      ? target(address ?? '', port)
      : `${address}-${last}${port === undefined ? '' : `:${port}`}`
  return one.type === 'dnat' ? destinationNat(way, to) : sourceNat(way, to)
}

const target = (ip: string, port: number | undefined) =>
  `${ip.includes(':') ? `[${ip}]` : ip}${port === undefined ? '' : `:${port}`}`

function addressOf(registers: Registers, register: number | undefined, length: 4 | 16): string | undefined {
  const bytes = register === undefined ? undefined : read(registers, register, length)
  return bytes instanceof Uint8Array ? formatIp(bytes) : undefined
}

function portOf(registers: Registers, register: number | undefined): number | undefined {
  const bytes = register === undefined ? undefined : read(registers, register, 2)
  return bytes instanceof Uint8Array ? readBig16(bytes) : undefined
}

/** ICMP codes of unreachability, by family; icmpx has numbers of its own (linux/netfilter/nf_tables.h). */
const icmpx = {
  4: ['net-unreachable', 'port-unreachable', 'host-unreachable', 'admin-prohibited'],
  6: ['no-route', 'port-unreachable', 'addr-unreachable', 'adm-prohibited'],
} as const
const icmp4: Readonly<Record<number, string>> = {
  0: 'net-unreachable',
  1: 'host-unreachable',
  2: 'proto-unreachable',
  3: 'port-unreachable',
  9: 'net-prohibited',
  10: 'host-prohibited',
  13: 'admin-prohibited',
}
const icmp6: Readonly<Record<number, string>> = {
  0: 'no-route',
  1: 'adm-prohibited',
  3: 'addr-unreachable',
  4: 'port-unreachable',
  5: 'policy-fail',
  6: 'reject-route',
}

/** The name that iptables has for it. */
export function rejectName(one: Extract<NftInstruction, { kind: 'reject' }>, packet: Packet): string {
  if (one.with === 'tcp reset') return 'tcp-reset'
  const family = familyOf(packet)
  const name = one.with === 'icmpx' ? icmpx[family][one.code] : (family === 4 ? icmp4 : icmp6)[one.code]
  return `${family === 4 ? 'icmp' : 'icmp6'}-${name ?? one.code}`
}
