// Matches of iptables that our own layouts do not use, read from their words: `-m NAME WORDS`.

import { decided, matchInterface, matchPort, type Question } from '#trace/iptables/match.ts'
import { matchConnection } from '#trace/iptables/match-connection.ts'
import { matchLimitedType, matchReversePath } from '#trace/iptables/match-fib.ts'
import { matchIcmp } from '#trace/iptables/match-icmp.ts'
import { type Option, type Options, optionsOf, testOf, textTest } from '#trace/iptables/option.ts'
import { connectionOf } from '#trace/nat.ts'
import { hasPorts, type Packet, protocolNumber } from '#trace/packet.ts'
import { rangeHas, spanHas } from '#trace/ranges.ts'
import { type Matched, type Maybe, no, yes } from '#trace/way.ts'

/** What each option of a match says of a packet; all of them must hold. */
export function* matchOther(name: string, words: readonly string[], question: Question): Generator<Matched> {
  const options = optionsOf(words)
  const read = readers[name]
  const unknown: Matched = {
    kind: 'maybe',
    condition: `"-m ${[name, ...words].join(' ')}" matches${question.packet.answers ? ' the answer' : ''}`,
    missing: 'a reader of that match',
  }
  if (read === undefined || options.size === 0) yield unknown
  else for (const [option, value] of options) yield read(option, value, question, options) ?? unknown
}

/** One option; undefined where it is not read. */
type Reader = (option: string, value: Option, question: Question, options: Options) => Matched | undefined

const readers: Readonly<Record<string, Reader>> = {
  tcp: (option, value, { packet }) => {
    if (packet.protocol !== 'tcp') return no(`protocol is ${packet.protocol}`)
    if (option === 'tcp-flags') return matchFlags(value, packet)
    if (option === 'syn') return decided(packet.state === 'NEW', testOf(value), 'the packet opens a connection')
    return readPort(option, value, packet)
  },
  multiport: (option, value, { packet }) => {
    if (!hasPorts(packet.protocol)) return no(`protocol is ${packet.protocol}`)
    const list = (value.values[0] ?? '').split(',')
    const has = (port: number) => list.some((item) => matchPort({ value: item }, port, '')?.kind === 'yes')
    const { sourcePort, destinationPort } = packet
    if (/^(dports|destination-ports)$/.test(option))
      return decided(has(destinationPort), testOf(value), `destination port is ${destinationPort}`)
    if (/^(sports|source-ports)$/.test(option))
      return decided(has(sourcePort), testOf(value), `source port is ${sourcePort}`)
    if (option !== 'ports') return undefined
    return decided(
      has(sourcePort) || has(destinationPort),
      testOf(value),
      `ports are ${sourcePort}, ${destinationPort}`,
    )
  },
  conntrack: (option, value, { packet }) => matchConnection(option, value, packet),
  state: (_, value, { packet }) => matchConnection('ctstate', value, packet),
  addrtype: matchLimitedType,
  rpfilter: (_, _value, question, options) => matchReversePath(question, options),
  icmp: (_, value, { packet }) =>
    packet.protocol === 'icmp' ? matchIcmp(value, packet) : no(`protocol is ${packet.protocol}`),
  icmp6: (_, value, { packet }) =>
    packet.protocol === 'icmpv6' ? matchIcmp(value, packet) : no(`protocol is ${packet.protocol}`),
  iprange: (option, value, { packet }) => {
    const ip = option === 'src-range' ? packet.source : packet.destination
    const holds = spanHas(value.values[0] ?? '', ip)
    return holds === undefined
      ? undefined
      : decided(holds, testOf(value), `${option === 'src-range' ? 'source' : 'destination'} is ${ip}`)
  },
  connmark: (_, value, { packet }) => {
    const [wanted, mask] = (value.values[0] ?? '').split('/').map(Number)
    const mark = packet.connection?.mark ?? 0
    return decided(
      (mark & (mask ?? 0xffffffff)) >>> 0 === wanted,
      testOf(value),
      `the connection's mark is 0x${mark.toString(16)}`,
    )
  },
  physdev: (option, value, { packet }) => {
    const port = packet.bridgePort
    if (option === 'physdev-is-bridged')
      return decided(
        port !== undefined && packet.outInterface === packet.inInterface,
        testOf(value),
        port === undefined ? 'it is not bridged' : `it came by bridge port ${port}`,
      )
    if (option === 'physdev-is-in')
      return decided(
        port !== undefined,
        testOf(value),
        port === undefined ? 'it came by no bridge port' : `it came by bridge port ${port}`,
      )
    if (option !== 'physdev-in') return undefined
    return matchInterface(textTest(value.values[0] ?? '', value), port ?? '', 'in')
  },
  length: (_, value, { packet }) => matchPort(textTest(value.values[0] ?? '', value), packet.size, 'length'),
  pkttype: (_, value) => decided(value.values[0] === 'unicast', testOf(value), 'the packet is for one'),
  ipvs: (option, value, { packet }) => {
    const isBalanced = packet.balanced === true
    const came = `it ${isBalanced ? 'came' : 'did not come'} through IPVS`
    if (option === 'ipvs') return decided(isBalanced, testOf(value), came)
    if (!isBalanced) return no(came)
    const { original } = connectionOf(packet)
    const text = value.values[0] ?? ''
    if (option === 'vproto') return decided(protocolIs(text, packet), testOf(value), `protocol is ${packet.protocol}`)
    if (option === 'vaddr')
      return decided(
        rangeHas(text, original.destination) ?? false,
        testOf(value),
        `it was sent to ${original.destination}`,
      )
    return option === 'vport'
      ? matchPort(textTest(text, value), original.destinationPort, 'the port that it was sent to')
      : undefined
  },
  // What has room for more is the usual case; the share beyond is a matter of load.
  limit: (option, value, { packet }) => (option === 'limit' ? isWithin(value, packet) : yes),
  hashlimit: (option, value, { packet }) =>
    option === 'hashlimit-upto' || option === 'hashlimit-above'
      ? { ...isWithin(value, packet), unless: option === 'hashlimit-above' }
      : yes,
  owner: matchOwner,
  // A trace sends no packets of a special class.
  tos: (_, value) => matchClass(value, 0xff),
  dscp: (option, value) => (option === 'dscp' ? matchClass(value, 0x3f) : undefined),
  statistic: (option, value, _, options) => {
    if (options.get('mode')?.values[0] !== 'nth') return undefined
    if (option !== 'every') return yes
    if (!/^[1-9]\d{0,8}$/.test(value.values[0] ?? '')) return undefined
    return {
      kind: 'share',
      share: {
        numerator: value.not ? BigInt(value.values[0] ?? 1) - 1n : 1n,
        denominator: BigInt(value.values[0] ?? 1),
      },
    }
  },
}

const protocolIs = (text: string, packet: Packet) => protocolNumber(text) === protocolNumber(packet.protocol)

const isWithin = ({ values: [rate] }: Option, { answers }: Packet): Maybe => ({
  kind: 'maybe',
  condition: `no more than ${rate} packets came by here${answers ? ' when the answer did' : ''}`,
})

/** Whose program it is; what the kernel itself makes, or others have sent, is nobody's (net/netfilter/xt_owner.c). */
function matchOwner(option: string, value: Option, { packet, hook, machine }: Question): Matched {
  const isMade =
    (hook === 'output' || hook === 'postrouting') && packet.inInterface === '' && packet.bridgePort === undefined
  if (!isMade || packet.reset === true || packet.error !== undefined)
    return decided(false, testOf(value), isMade ? 'the kernel itself makes it' : 'the packet is not made here')
  if (option === 'socket-exists') return decided(true, testOf(value), 'a program has sent it')
  const program = packet.answers ? 'answers' : 'sends'
  const wanted = [option.replace('-owner', ''), ...value.values].join(' ')
  return { kind: 'maybe', condition: `the program that ${program} on ${machine.name} has ${wanted}`, unless: value.not }
}

function matchClass(value: Option, all: number): Matched {
  const [wanted, mask = all] = (value.values[0] ?? '').split('/').map(Number)
  return decided((0 & mask) === wanted, testOf(value), 'the packet is of no special class')
}

function readPort(option: string, value: Option, packet: Packet): Matched | undefined {
  if (/^(dport|destination-port)$/.test(option))
    return matchPort(textTest(value.values[0] ?? '', value), packet.destinationPort, 'destination port')
  if (/^(sport|source-port)$/.test(option))
    return matchPort(textTest(value.values[0] ?? '', value), packet.sourcePort, 'source port')
  return undefined
}

/** `--tcp-flags SYN,RST,ACK,FIN SYN` of the packets that open a connection, and answer it. */
function matchFlags(value: Option, packet: Packet): Matched {
  const [mask = '', set = ''] = value.values.map((text) =>
    text === 'ALL' ? 'FIN,SYN,RST,PSH,ACK,URG' : text === 'NONE' ? '' : text,
  )
  const flags = packet.reset === true ? ['RST', 'ACK'] : packet.state === 'NEW' ? ['SYN'] : ['SYN', 'ACK']
  const looked = mask.split(',').filter((flag) => flags.includes(flag))
  const wanted = set.split(',').filter((flag) => flag !== '')
  const holds = looked.length === wanted.length && wanted.every((flag) => looked.includes(flag))
  return decided(holds, testOf(value), `its flags are ${flags.join(',')}`)
}
