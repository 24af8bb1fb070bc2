// Whether a packet matches a rule of iptables: yes, no, in a share of the cases, or on a condition that the inputs do not
// decide. Nothing is guessed: an unknown match is a condition.

import type { Match, Rule, Test } from '#kernel/iptables/rule.ts'
import { complement, statisticShare } from '#trace/fraction.ts'
import { matchSet } from '#trace/iptables/ipset.ts'
import { matchAddressType } from '#trace/iptables/match-fib.ts'
import { matchOther } from '#trace/iptables/match-other.ts'
import type { Machine } from '#trace/machine.ts'
import { type Packet, protocolNumber, trackedState } from '#trace/packet.ts'
import { rangeHas } from '#trace/ranges.ts'
import { type Matched, no, yes } from '#trace/way.ts'

/** What is asked about a packet at one place. */
export type Question = { readonly packet: Packet; readonly machine: Machine; readonly hook: string }

export const decided = (holds: boolean, test: Test<unknown>, why: string): Matched =>
  holds !== (test.not === true) ? { kind: 'yes', why } : { kind: 'no', why }

/** The parts of a rule in the order in which the kernel looks at them. */
export function* matchRule(rule: Rule, question: Question): Generator<Matched> {
  const { packet } = question
  if (rule.source) yield matchAddress(rule.source, packet.source, 'source')
  if (rule.destination) yield matchAddress(rule.destination, packet.destination, 'destination')
  if (rule.inInterface) yield matchInterface(rule.inInterface, packet.inInterface, 'in')
  if (rule.outInterface) yield matchInterface(rule.outInterface, packet.outInterface, 'out')
  if (rule.protocol) yield matchProtocol(rule.protocol, packet)
  if (rule.fragment) yield decided(false, rule.fragment, 'the packet is no fragment')
  for (const match of rule.matches) yield* matchOne(match, question)
}

/** A quick no for most rules of long chains, without allocating anything. */
export function isPlainlyOther(rule: Rule, packet: Packet): boolean {
  const { destination, source } = rule
  if (
    destination !== undefined &&
    destination.not !== true &&
    rangeHas(destination.value, packet.destination) === false
  )
    return packet.destination !== unknownAddress
  if (source !== undefined && source.not !== true && rangeHas(source.value, packet.source) === false)
    return packet.source !== unknownAddress
  return false
}

/** The address of the machine itself, where its addresses are not known. */
export const unknownAddress = '?'

export function matchAddress(test: Test, address: string, side: string): Matched {
  const holds = address === unknownAddress ? undefined : rangeHas(test.value, address)
  if (holds === undefined)
    return {
      kind: 'maybe',
      condition: `${side} ${address === unknownAddress ? "(the node's own)" : address} is in ${test.value}`,
      unless: test.not === true,
      missing: 'ip addr',
    }
  return decided(holds, test, `${side} is ${address}`)
}

export function matchInterface(test: Test, name: string | undefined, side: 'in' | 'out'): Matched {
  if (name === undefined) {
    const condition = `the packet goes ${side} by ${test.value}`
    return { kind: 'maybe', condition, unless: test.not === true, missing: 'ip addr, ip route' }
  }
  const holds = test.value.endsWith('+') ? name.startsWith(test.value.slice(0, -1)) : name === test.value
  return decided(holds, test, name === '' ? `it has no interface ${side} here` : `it goes ${side} by ${name}`)
}

export function matchProtocol(test: Test, packet: Packet): Matched {
  const wanted = protocolNumber(test.value)
  if (wanted === undefined)
    return { kind: 'maybe', condition: `protocol ${test.value} is ${packet.protocol}`, unless: test.not === true }
  return decided(wanted === 0 || wanted === protocolNumber(packet.protocol), test, `protocol is ${packet.protocol}`)
}

function* matchOne(match: Match, question: Question): Generator<Matched> {
  const { packet, machine } = question
  switch (match.kind) {
    case 'comment':
    case 'nfacct':
      return
    case 'ports':
      yield matchPorts(match, packet)
      return
    case 'conntrack':
      yield decided(stateHolds(match.states.value, packet), match.states, `the connection is ${renderState(packet)}`)
      return
    case 'mark': {
      const { value, mask } = match.mark.value
      yield decided((packet.mark & mask) >>> 0 === value, match.mark, `mark is 0x${packet.mark.toString(16)}`)
      return
    }
    case 'addrtype':
      if (match.source) yield matchAddressType(match.source, packet.source, 'source', machine)
      if (match.destination) yield matchAddressType(match.destination, packet.destination, 'destination', machine)
      return
    case 'random': {
      const share = statisticShare(match.probability.value)
      yield { kind: 'share', share: match.probability.not === true ? complement(share) : share }
      return
    }
    case 'recent':
      yield matchRecent(match, packet)
      return
    case 'set':
      yield matchSet(match, packet, machine)
      return
    case 'other':
      yield* matchOther(match.name, match.words, question)
  }
}

/** `NEW`, and the virtual states `DNAT` and `SNAT`. */
export function stateHolds(states: readonly string[], packet: Packet): boolean {
  const { connection } = packet
  return (
    states.includes(trackedState(packet)) ||
    (states.includes('DNAT') && connection?.destinationNat !== undefined) ||
    (states.includes('SNAT') && connection?.sourceNat !== undefined)
  )
}

export function renderState(packet: Packet): string {
  const { connection } = packet
  return [
    trackedState(packet),
    ...(connection?.destinationNat ? ['DNAT'] : []),
    ...(connection?.sourceNat ? ['SNAT'] : []),
  ].join(',')
}

function matchPorts(match: Extract<Match, { kind: 'ports' }>, packet: Packet): Matched {
  if (match.protocol !== packet.protocol) return no(`protocol is ${packet.protocol}`)
  const matched = [
    matchPort(match.source, packet.sourcePort, 'source port'),
    matchPort(match.destination, packet.destinationPort, 'destination port'),
  ].filter((item) => item !== undefined)
  const refused = matched.find((item) => item.kind !== 'yes')
  return refused ?? matched.at(-1) ?? yes
}

export function matchPort(test: Test | undefined, port: number, side: string): Matched | undefined {
  if (test === undefined) return undefined
  const colon = test.value.indexOf(':')
  const first = Number(colon < 0 ? test.value : test.value.slice(0, colon))
  const last = colon < 0 ? first : Number(test.value.slice(colon + 1) || 65_535)
  return decided(port >= first && port <= last, test, `${side} is ${port}`)
}

function matchRecent(match: Extract<Match, { kind: 'recent' }>, packet: Packet): Matched {
  // `--set` remembers the packet and matches.
  if (match.action.value === 'set') return decided(true, match.action, 'the address is remembered')
  const who = match.side === 'rsource' ? packet.source : packet.destination
  const within = match.seconds === undefined ? '' : ` within ${match.seconds} s`
  return {
    kind: 'maybe',
    condition: `${who} was seen by ${match.name}${within}`,
    unless: match.action.not === true,
    missing: `/proc/net/xt_recent/${match.name}`,
  }
}
