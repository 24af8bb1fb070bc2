// Whether a packet matches a rule of iptables: yes, no, in a share of the cases, or on a condition that the dump does
// not decide. Nothing is guessed: an unknown match is a condition.

import type { Match, Rule, Test } from '#kernel/iptables/rule.ts'
import { compareIp, parseIp } from '#lib/ip.ts'
import { containsIp, parseCidr } from '#lib/cidr.ts'
import { statisticShare, type Fraction } from '#trace/fraction.ts'
import type { Machine } from '#trace/machine.ts'
import type { Packet } from '#trace/packet.ts'

export type Matched =
  | { readonly kind: 'yes' }
  | { readonly kind: 'no'; readonly why: string }
  | { readonly kind: 'share'; readonly share: Fraction }
  /** matches if `condition` holds; `missing` names the input that would decide it */
  | { readonly kind: 'maybe'; readonly condition: string; readonly missing?: string }

const yes: Matched = { kind: 'yes' }
const no = (why: string): Matched => ({ kind: 'no', why })
const decided = (holds: boolean, test: Test<unknown>, why: string): Matched =>
  holds !== (test.not === true) ? yes : no(why)

/** The parts of a rule in the order in which the kernel looks at them; the first that is no plain yes decides. */
export function matchRule(rule: Rule, packet: Packet, machine: Machine): Matched {
  for (const matched of parts(rule, packet, machine)) if (matched.kind !== 'yes') return matched
  return yes
}

function* parts(rule: Rule, packet: Packet, machine: Machine): Generator<Matched> {
  if (rule.source) yield matchAddress(rule.source, packet.source, 'source')
  if (rule.destination) yield matchAddress(rule.destination, packet.destination, 'destination')
  if (rule.inInterface) yield matchInterface(rule.inInterface, packet.inInterface, 'in')
  if (rule.outInterface) yield matchInterface(rule.outInterface, packet.outInterface, 'out')
  if (rule.protocol)
    yield decided(isProtocol(rule.protocol.value, packet.protocol), rule.protocol, `protocol is ${packet.protocol}`)
  if (rule.fragment) yield decided(false, rule.fragment, 'the packet is no fragment')
  for (const match of rule.matches) yield matchOne(match, packet, machine)
}

function matchAddress(test: Test, address: string, side: string): Matched {
  const cidr = parseCidr(test.value)
  if (cidr === undefined) return { kind: 'maybe', condition: `${side} is in ${test.value}` }
  const bytes = parseIp(address)
  return decided(bytes !== undefined && containsIp(cidr, address), test, `${side} is ${address}`)
}

function matchInterface(test: Test, name: string | undefined, side: 'in' | 'out'): Matched {
  if (name === undefined) {
    const not = test.not === true ? 'not ' : ''
    return { kind: 'maybe', condition: `the packet goes ${side} by ${not}${test.value}`, missing: 'ip route' }
  }
  const holds = test.value.endsWith('+') ? name.startsWith(test.value.slice(0, -1)) : name === test.value
  return decided(holds, test, `it goes ${side} by ${name}`)
}

const protocolNumbers: Readonly<Record<string, string>> = {
  '6': 'tcp',
  '17': 'udp',
  '132': 'sctp',
  '1': 'icmp',
  '58': 'icmp',
}

const isProtocol = (text: string, protocol: string) => text === protocol || protocolNumbers[text] === protocol

function matchOne(match: Match, packet: Packet, machine: Machine): Matched {
  switch (match.kind) {
    case 'comment':
    case 'nfacct':
      return yes
    case 'ports':
      return matchPorts(match, packet)
    case 'conntrack': {
      const states = match.states.value
      const holds =
        states.includes(packet.state) || (states.includes('DNAT') && packet.before?.destination !== undefined)
      return decided(holds, match.states, `the connection is ${packet.state}`)
    }
    case 'mark': {
      const { value, mask } = match.mark.value
      return decided((packet.mark & mask) >>> 0 === value, match.mark, `mark is 0x${packet.mark.toString(16)}`)
    }
    case 'addrtype':
      return matchAddressTypes(match, packet, machine)
    case 'random': {
      const share = statisticShare(match.probability.value)
      if (match.probability.not !== true) return { kind: 'share', share }
      return {
        kind: 'share',
        share: { numerator: share.denominator - share.numerator, denominator: share.denominator },
      }
    }
    case 'recent':
      return matchRecent(match, packet)
    case 'set':
      return matchSet(match, packet, machine)
    case 'other':
      return {
        kind: 'maybe',
        condition: `"-m ${[match.name, ...match.words].join(' ')}" matches`,
        missing: 'a reader of that match',
      }
  }
}

function matchPorts(match: Extract<Match, { kind: 'ports' }>, packet: Packet): Matched {
  if (match.protocol !== packet.protocol) return no(`protocol is ${packet.protocol}`)
  for (const [test, port, side] of [
    [match.source, packet.sourcePort, 'source port'],
    [match.destination, packet.destinationPort, 'destination port'],
  ] as const) {
    if (test === undefined) continue
    const [first = 0, last = first] = test.value.split(':').map(Number)
    const matched = decided(port >= first && port <= last, test, `${side} is ${port}`)
    if (matched.kind !== 'yes') return matched
  }
  return yes
}

function matchAddressTypes(match: Extract<Match, { kind: 'addrtype' }>, packet: Packet, machine: Machine): Matched {
  for (const [test, address, side] of [
    [match.source, packet.source, 'source'],
    [match.destination, packet.destination, 'destination'],
  ] as const) {
    if (test === undefined) continue
    const type = addressType(address, machine)
    if (type === undefined)
      return {
        kind: 'maybe',
        condition: `${side} ${address} is ${test.not === true ? 'not ' : ''}${test.value} here`,
        missing: 'ip addr',
      }
    const matched = decided(test.value.split(',').includes(type), test, `${side} ${address} is ${type}`)
    if (matched.kind !== 'yes') return matched
  }
  return yes
}

function addressType(address: string, machine: Machine): string | undefined {
  const bytes = parseIp(address)
  if (bytes === undefined) return undefined
  if (bytes.length === 4 ? bytes[0] === 127 : compareIp(address, '::1') === 0) return 'LOCAL'
  if (bytes.length === 4 ? bytes[0]! >> 4 === 14 : bytes[0] === 0xff) return 'MULTICAST'
  if (address === '255.255.255.255') return 'BROADCAST'
  if (machine.addresses === undefined) return undefined
  return machine.addresses.has(address) ? 'LOCAL' : 'UNICAST'
}

function matchRecent(match: Extract<Match, { kind: 'recent' }>, packet: Packet): Matched {
  // `--set` remembers the packet and matches.
  if (match.action.value === 'set') return decided(true, match.action, '')
  const who = match.side === 'rsource' ? packet.source : packet.destination
  const within = match.seconds === undefined ? '' : ` within ${match.seconds} s`
  const not = match.action.not === true ? 'not ' : ''
  return {
    kind: 'maybe',
    condition: `${who} was ${not}seen by ${match.name}${within}`,
    missing: `/proc/net/xt_recent/${match.name}`,
  }
}

function matchSet(match: Extract<Match, { kind: 'set' }>, packet: Packet, machine: Machine): Matched {
  const members = machine.sets?.get(match.name.value)
  const sides = match.sides.split(',')
  const not = match.name.not === true ? 'not ' : ''
  const condition = `(${match.sides}) is ${not}in the set ${match.name.value}`
  if (members === undefined) return { kind: 'maybe', condition, missing: 'ipset save' }
  const text = sides
    .map((side, index) => {
      if (index > 0 && (index === 1 || sides.length > 2) && index !== 2)
        return `${packet.protocol}:${side === 'src' ? packet.sourcePort : packet.destinationPort}`
      return side === 'src' ? packet.source : packet.destination
    })
    .join(',')
  return decided(members.has(text) || isPortMember(members, sides, packet), match.name, `${text} is not listed`)
}

/** Sets of ports alone (bitmap:port) have one side, and members that are numbers. */
function isPortMember(members: ReadonlySet<string>, sides: readonly string[], packet: Packet): boolean {
  return sides.length === 1 && members.has(String(sides[0] === 'src' ? packet.sourcePort : packet.destinationPort))
}
