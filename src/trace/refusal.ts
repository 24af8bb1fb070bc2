// Refusals: what they are on the wire, and what the socket of the sender makes of them.

import { familyOf, hasPorts, type Packet, type Protocol, tupleOf } from '#trace/packet.ts'

/** What a program reads in errno. */
export type SocketError =
  | 'ECONNREFUSED'
  | 'ENETUNREACH'
  | 'EHOSTUNREACH'
  | 'EHOSTDOWN'
  | 'EACCES'
  | 'EPERM'
  | 'EINVAL'
  | 'ENOPROTOOPT'
  | 'EPROTO'
  | 'EMSGSIZE'

/** As programs print them. */
export const errorWords: Readonly<Record<SocketError, string>> = {
  ECONNREFUSED: 'connection refused',
  ENETUNREACH: 'network is unreachable',
  EHOSTUNREACH: 'no route to host',
  EHOSTDOWN: 'host is down',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EINVAL: 'invalid argument',
  ENOPROTOOPT: 'protocol not available',
  EPROTO: 'protocol error',
  EMSGSIZE: 'message too long',
}

type Meaning = {
  readonly code: number
  readonly error: SocketError
  /** also sockets that do not wait for a connection hear of it */
  readonly isFinal: boolean
}

const meaning = (code: number, error: SocketError, isFinal: boolean): Meaning => ({ code, error, isFinal })

/** Codes of ICMP's type 3 (net/ipv4/icmp.c, icmp_err_convert). */
const unreachable4: Readonly<Record<string, Meaning>> = {
  'net-unreachable': meaning(0, 'ENETUNREACH', false),
  'host-unreachable': meaning(1, 'EHOSTUNREACH', false),
  'proto-unreachable': meaning(2, 'ENOPROTOOPT', true),
  'port-unreachable': meaning(3, 'ECONNREFUSED', true),
  'frag-needed': meaning(4, 'EMSGSIZE', false),
  'net-prohibited': meaning(9, 'ENETUNREACH', true),
  'host-prohibited': meaning(10, 'EHOSTUNREACH', true),
  'admin-prohibited': meaning(13, 'EHOSTUNREACH', true),
}

/** Codes of ICMPv6's type 1 (net/ipv6/icmp.c, tab_unreach). */
const unreachable6: Readonly<Record<string, Meaning>> = {
  'no-route': meaning(0, 'ENETUNREACH', false),
  'adm-prohibited': meaning(1, 'EACCES', true),
  'addr-unreachable': meaning(3, 'EHOSTUNREACH', false),
  'port-unreachable': meaning(4, 'ECONNREFUSED', true),
  'policy-fail': meaning(5, 'EACCES', true),
  'reject-route': meaning(6, 'EACCES', true),
}

const meaningOf = (name: string, family: 4 | 6): Meaning | undefined =>
  family === 4 ? unreachable4[name.replace(/^icmp-/, '')] : unreachable6[name.replace(/^icmp6-/, '')]

const tooBig6 = 2

/** The packet that refuses `packet`; `source` '' where who sends it chooses. Undefined for a refusal that is not known. */
export function refusalOf(packet: Packet, how: string): Packet | undefined {
  const { connection: _, error: _error, ...rest } = packet
  const back = { ...rest, destination: packet.source, mark: 0, state: 'RELATED' as const, answers: true as const }
  if (how === 'tcp-reset')
    return {
      ...back,
      source: packet.destination,
      sourcePort: packet.destinationPort,
      destinationPort: packet.sourcePort,
      size: 40,
      reset: true,
    }
  const family = familyOf(packet)
  const known = meaningOf(how, family)
  const isTooBig = how === 'icmp-frag-needed'
  if (known === undefined && !isTooBig) return undefined
  const [type, code] = family === 4 ? [3, known?.code ?? 0] : isTooBig ? [tooBig6, 0] : [1, known!.code]
  return {
    ...back,
    protocol: family === 4 ? 'icmp' : 'icmpv6',
    source: '',
    sourcePort: 0,
    destinationPort: 0,
    size: Math.min(packet.size + 28, 576),
    error: { type, code, about: tupleOf(packet) },
  }
}

/** What a socket that waits for an answer makes of a refusal; undefined: it waits on. */
export function errorOf(how: string, protocol: Protocol, family: 4 | 6): SocketError | undefined {
  if (how === 'tcp-reset') return 'ECONNREFUSED'
  if (!hasPorts(protocol)) return undefined
  // TCP cuts what it sends into smaller pieces.
  if (how === 'icmp-frag-needed') return undefined
  const known = meaningOf(how, family)
  return known !== undefined && (protocol === 'tcp' || known.isFinal) ? known.error : undefined
}

/** How a machine says that nobody listens. */
export const closedPort = ({ protocol, destination }: Packet): string =>
  protocol === 'tcp' ? 'tcp-reset' : destination.includes(':') ? 'icmp6-port-unreachable' : 'icmp-port-unreachable'
