// Types of values in nftables: how long they are, in whose order their bytes stand, and what their names mean.

import { parseIp } from '#lib/ip.ts'

/** Names as #kernel/nftables/datatype.ts has them. */
export type ValueType = { readonly name: string; readonly length: number }

const type = (name: string, length: number): ValueType => ({ name, length })
export const number32 = type('number', 4)
export const ipv4 = type('ipv4', 4)
export const ipv6 = type('ipv6', 16)
export const port = type('port', 2)
export const protocol = type('protocol', 1)
export const interfaceName = type('interface-name', 16)

/** By the names that `nft` prints. */
export const namedTypes: Readonly<Record<string, ValueType>> = {
  ipv4_addr: ipv4,
  ipv6_addr: ipv6,
  inet_proto: protocol,
  inet_service: port,
  mark: number32,
  ifname: interfaceName,
  iface_index: interfaceName,
  ether_addr: type('mac', 6),
  ether_type: type('ether-type', 2),
  icmp_type: type('icmp-type', 1),
  icmpv6_type: type('icmpv6-type', 1),
  ct_state: type('ct-state', 4),
  ct_status: type('ct-status', 4),
  ct_dir: type('ct-direction', 1),
  ct_label: type('ct-label', 16),
  fib_addrtype: type('address-type', 4),
  pkt_type: type('packet-type', 1),
  nf_proto: type('nfproto', 1),
  tcp_flag: type('tcp-flag', 1),
  dscp: type('dscp', 1),
  integer: number32,
  uid: number32,
  gid: number32,
  iface_type: type('number', 2),
  devgroup: number32,
  cgroupsv2: type('integer', 8),
  time: type('integer', 8),
}

/** Types whose bytes stand in the machine's own order. */
export const isHostOrder = ({ name }: ValueType): boolean =>
  ['number', 'ct-state', 'ct-status', 'address-type'].includes(name)

/** Types of bits that are set together: without an operator one of them is enough. */
export const isFlags = ({ name }: ValueType): boolean =>
  ['ct-state', 'ct-status', 'tcp-flag', 'ct-label'].includes(name)

const words: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  protocol: {
    icmp: 1,
    igmp: 2,
    ipv4: 4,
    ipencap: 4,
    tcp: 6,
    udp: 17,
    dccp: 33,
    ipv6: 41,
    gre: 47,
    esp: 50,
    ah: 51,
    icmpv6: 58,
    'ipv6-icmp': 58,
    comp: 108,
    sctp: 132,
    udplite: 136,
  },
  'ct-state': { invalid: 1, established: 2, related: 4, new: 8, untracked: 64 },
  'ct-status': { expected: 1, 'seen-reply': 2, assured: 4, confirmed: 8, snat: 16, dnat: 32, dying: 512 },
  'ct-direction': { original: 0, reply: 1 },
  'address-type': {
    unspec: 0,
    unicast: 1,
    local: 2,
    broadcast: 3,
    anycast: 4,
    multicast: 5,
    blackhole: 6,
    unreachable: 7,
    prohibit: 8,
    throw: 9,
    nat: 10,
  },
  'packet-type': { host: 0, unicast: 0, broadcast: 1, multicast: 2, other: 3 },
  nfproto: { ipv4: 2, ipv6: 10 },
  'ether-type': { ip: 0x0800, arp: 0x0806, ip6: 0x86dd, vlan: 0x8100, '8021q': 0x8100 },
  'tcp-flag': { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32, ecn: 64, cwr: 128 },
  dscp: {
    cs0: 0,
    lephb: 1,
    cs1: 8,
    af11: 10,
    af12: 12,
    af13: 14,
    cs2: 16,
    af21: 18,
    af22: 20,
    af23: 22,
    cs3: 24,
    af31: 26,
    af32: 28,
    af33: 30,
    cs4: 32,
    af41: 34,
    af42: 36,
    af43: 38,
    cs5: 40,
    va: 44,
    ef: 46,
    cs6: 48,
    cs7: 56,
  },
  'icmp-type': {
    'echo-reply': 0,
    'destination-unreachable': 3,
    'source-quench': 4,
    redirect: 5,
    'echo-request': 8,
    'router-advertisement': 9,
    'router-solicitation': 10,
    'time-exceeded': 11,
    'parameter-problem': 12,
    'timestamp-request': 13,
    'timestamp-reply': 14,
  },
  'icmpv6-type': {
    'destination-unreachable': 1,
    'packet-too-big': 2,
    'time-exceeded': 3,
    'parameter-problem': 4,
    'echo-request': 128,
    'echo-reply': 129,
    'mld-listener-query': 130,
    'mld-listener-report': 131,
    'mld-listener-done': 132,
    'nd-router-solicit': 133,
    'nd-router-advert': 134,
    'nd-neighbor-solicit': 135,
    'nd-neighbor-advert': 136,
    'nd-redirect': 137,
    'mld2-listener-report': 143,
  },
  port: { ssh: 22, domain: 53, http: 80, ntp: 123, https: 443, bootps: 67, bootpc: 68 },
}

/** The bytes of a value that is written so; undefined where the text is none of that type. */
export function encodeValue(text: string, { name, length }: ValueType): Uint8Array | undefined {
  if (name === 'ipv4' || name === 'ipv6') {
    const bytes = parseIp(text)
    return bytes?.length === length ? bytes : undefined
  }
  if (name === 'interface-name') {
    const bytes = new Uint8Array(length)
    bytes.set(new TextEncoder().encode(text).subarray(0, length - 1))
    return bytes
  }
  if (name === 'mac') {
    const parts = text.split(':').map((part) => Number.parseInt(part, 16))
    return parts.length === 6 && parts.every((part) => part >= 0 && part < 256) ? Uint8Array.from(parts) : undefined
  }
  const value = words[name]?.[text] ?? (text === 'true' ? 1 : text === 'false' ? 0 : numberOf(text))
  return value === undefined ? undefined : encodeNumber(value, { name, length })
}

const numberOf = (text: string): number | undefined =>
  /^(0x[0-9a-f]+|\d+)$/.test(text) && Number(text) <= Number.MAX_SAFE_INTEGER ? Number(text) : undefined

export function encodeNumber(value: number, type: ValueType, hostOrder = isHostOrder(type)): Uint8Array {
  const bytes = new Uint8Array(type.length)
  let rest = value
  for (let i = 0; i < type.length && rest > 0; i++) {
    bytes[hostOrder ? i : type.length - 1 - i] = rest % 256
    rest = Math.floor(rest / 256)
  }
  return bytes
}

/** Whole words of 4 bytes, as concatenations keep their parts. */
export const padded = (bytes: Uint8Array): Uint8Array => {
  const whole = new Uint8Array(Math.ceil(bytes.length / 4) * 4)
  whole.set(bytes)
  return whole
}
