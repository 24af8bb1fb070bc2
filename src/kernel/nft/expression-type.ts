// What expressions of nft look at: where in a packet it is, and of which type.

import type { Expression } from '#kernel/nft/ast.ts'
import {
  interfaceName,
  ipv4,
  ipv6,
  namedTypes,
  number32,
  port,
  protocol,
  type ValueType,
} from '#kernel/nft/value-type.ts'
import type { NftFamily, NftPayload } from '#kernel/nftables/ruleset.ts'

export type Field = {
  readonly base: NftPayload['base']
  readonly offset: number
  readonly type: ValueType
  /** only these bits of a byte, and how far to the right they go */
  readonly bits?: { readonly mask: number; readonly shift: number }
}

const field = (base: NftPayload['base'], offset: number, type: ValueType): Field => ({ base, offset, type })
const integer = (length: number): ValueType => ({ name: 'integer', length })

const ports = { sport: field('transport', 0, port), dport: field('transport', 2, port) }
const icmp = (name: string) => ({
  type: field('transport', 0, namedTypes[name]!),
  code: field('transport', 1, integer(1)),
})
const fields: Readonly<Record<string, Readonly<Record<string, Field>>>> = {
  ip: {
    saddr: field('network', 12, ipv4),
    daddr: field('network', 16, ipv4),
    protocol: field('network', 9, protocol),
    length: field('network', 2, integer(2)),
    id: field('network', 4, integer(2)),
    'frag-off': field('network', 6, integer(2)),
    ttl: field('network', 8, integer(1)),
    dscp: { ...field('network', 1, namedTypes['dscp']!), bits: { mask: 0xfc, shift: 2 } },
    ecn: { ...field('network', 1, integer(1)), bits: { mask: 0x03, shift: 0 } },
    version: { ...field('network', 0, integer(1)), bits: { mask: 0xf0, shift: 4 } },
  },
  ip6: {
    saddr: field('network', 8, ipv6),
    daddr: field('network', 24, ipv6),
    nexthdr: field('network', 6, protocol),
    length: field('network', 4, integer(2)),
    hoplimit: field('network', 7, integer(1)),
  },
  tcp: { ...ports, flags: field('transport', 13, namedTypes['tcp_flag']!) },
  udp: ports,
  udplite: ports,
  sctp: ports,
  dccp: ports,
  th: ports,
  icmp: icmp('icmp_type'),
  icmpv6: icmp('icmpv6_type'),
  ether: {
    daddr: field('link', 0, namedTypes['ether_addr']!),
    saddr: field('link', 6, namedTypes['ether_addr']!),
    type: field('link', 12, namedTypes['ether_type']!),
  },
}

/** Undefined for a field that is not read. */
export const fieldOf = (header: string, name: string): Field | undefined => fields[header]?.[name]

/** The protocol that a header is of, above IP. */
export const transportNumbers: Readonly<Record<string, number>> = {
  icmp: 1,
  tcp: 6,
  udp: 17,
  dccp: 33,
  icmpv6: 58,
  sctp: 132,
  udplite: 136,
}

export const metaTypes: Readonly<Record<string, ValueType>> = {
  iifname: interfaceName,
  oifname: interfaceName,
  // printed by name, whatever their number is
  iif: interfaceName,
  oif: interfaceName,
  ibrname: interfaceName,
  obrname: interfaceName,
  iifkind: interfaceName,
  oifkind: interfaceName,
  l4proto: protocol,
  nfproto: namedTypes['nf_proto']!,
  protocol: namedTypes['ether_type']!,
  pkttype: namedTypes['pkt_type']!,
  nftrace: { name: 'number', length: 1 },
  iiftype: { name: 'number', length: 2 },
  oiftype: { name: 'number', length: 2 },
}

export function connectionType(key: string, family: string): ValueType {
  switch (key) {
    case 'state':
      return namedTypes['ct_state']!
    case 'status':
      return namedTypes['ct_status']!
    case 'direction':
      return namedTypes['ct_dir']!
    case 'protocol':
      return protocol
    case 'proto-src':
    case 'proto-dst':
      return port
    case 'l3proto':
      return namedTypes['nf_proto']!
    case 'zone':
      return { name: 'number', length: 2 }
    case 'saddr':
    case 'daddr':
      return family === 'ip6' ? ipv6 : ipv4
    case 'helper':
      return interfaceName
    case 'packets':
    case 'bytes':
      return { name: 'number', length: 8 }
    default:
      return number32
  }
}

/** Undefined for what is not read, and for concatenations, which have a type for each part. */
export function typeOfExpression(expression: Expression, family: NftFamily): ValueType | undefined {
  switch (expression.kind) {
    case 'payload':
      return fieldOf(expression.protocol, expression.field)?.type
    case 'raw':
      return integer(expression.length / 8)
    case 'meta':
      return metaTypes[expression.key] ?? number32
    case 'ct':
      return connectionType(expression.key, expression.family ?? family)
    case 'fib':
      return expression.result === 'type'
        ? namedTypes['fib_addrtype']
        : expression.result === 'oifname'
          ? interfaceName
          : number32
    case 'numgen':
    case 'hash':
      return number32
    case 'binary':
      return typeOfExpression(expression.left, family)
    default:
      return undefined
  }
}
