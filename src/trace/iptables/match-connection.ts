// What rules of iptables ask about the connection that a packet belongs to (net/netfilter/xt_conntrack.c).

import { decided, matchPort, renderState, stateHolds } from '#trace/iptables/match.ts'
import { type Option, testOf, textTest } from '#trace/iptables/option.ts'
import { type Connection, type Packet, protocolNumber, replyTuple } from '#trace/packet.ts'
import { rangeHas } from '#trace/ranges.ts'
import { type Matched, no } from '#trace/way.ts'

/** One option of `-m conntrack`; undefined for one that is not read. */
export function matchConnection(option: string, value: Option, packet: Packet): Matched | undefined {
  const text = value.values[0] ?? ''
  if (option === 'ctstate')
    return decided(stateHolds(text.split(','), packet), testOf(value), `the connection is ${renderState(packet)}`)
  const { connection } = packet
  if (connection === undefined) return no('the packet belongs to no connection')
  if (option === 'ctdir')
    return decided(
      connection.direction === text.toLowerCase(),
      testOf(value),
      `it goes in direction ${connection.direction}`,
    )
  if (option === 'ctproto')
    return decided(
      protocolNumber(text) === protocolNumber(packet.protocol),
      testOf(value),
      `protocol is ${packet.protocol}`,
    )
  if (option === 'ctstatus')
    return decided(
      text.split(',').some((word) => hasStatus(word, connection, packet)),
      testOf(value),
      `the connection is ${renderState(packet)}`,
    )
  return matchEnd(option, value, text, connection)
}

/** `ctorigdst`, `ctreplsrcport` ... */
function matchEnd(option: string, value: Option, text: string, connection: Connection): Matched | undefined {
  const [, tuple, side, port] = /^ct(orig|repl)(src|dst)(port)?$/.exec(option) ?? []
  if (tuple === undefined) return undefined
  const ends = tuple === 'orig' ? connection.original : replyTuple(connection)
  const words = tuple === 'orig' ? 'the connection began' : 'its answers come'
  const preposition = side === 'src' ? 'from' : 'to'
  if (port !== undefined) {
    const number = side === 'src' ? ends.sourcePort : ends.destinationPort
    return matchPort(textTest(text, value), number, `the port that ${words} ${preposition}`)
  }
  const ip = side === 'src' ? ends.source : ends.destination
  return decided(rangeHas(text, ip) ?? false, testOf(value), `${words} ${preposition} ${ip}`)
}

/** Of what a trace sends only the first packet and its answer are seen: no connection is assured by then. */
function hasStatus(word: string, { destinationNat, sourceNat }: Connection, { state }: Packet): boolean {
  const isReplied = state === 'ESTABLISHED'
  switch (word) {
    case 'SEEN_REPLY':
    case 'CONFIRMED':
      return isReplied
    case 'DNAT':
      return destinationNat !== undefined
    case 'SNAT':
      return sourceNat !== undefined
    // NONE is a mask without bits, which nothing has.
    default:
      return false
  }
}
