// Matches of iptables that our own layouts do not use, read from their words: `-m NAME WORDS`.

import type { Test } from '#kernel/iptables/rule.ts'
import {
  decided,
  matchInterface,
  matchPort,
  no,
  type Question,
  renderState,
  stateHolds,
  yes,
} from '#trace/iptables/match.ts'
import { connectionOf } from '#trace/nat.ts'
import { hasPorts, type Packet, protocolNumber } from '#trace/packet.ts'
import { rangeHas, spanHas } from '#trace/ranges.ts'
import type { Matched } from '#trace/way.ts'

type Option = { readonly not: boolean; readonly values: readonly string[] }
type Options = ReadonlyMap<string, Option>

const readings = new WeakMap<readonly string[], Options>()

/** `! --dports 80,443` by name; also `--dports ! 80`, as old versions print it */
function optionsOf(words: readonly string[]): Options {
  const known = readings.get(words)
  if (known !== undefined) return known
  const options = new Map<string, { not: boolean; values: string[] }>()
  let last: { not: boolean; values: string[] } | undefined
  let not = false
  for (const word of words) {
    if (word === '!') not = true
    else if (word.startsWith('--')) {
      last = { not, values: [] }
      options.set(word.slice(2), last)
      not = false
    } else if (last !== undefined) {
      if (not) last.not = true
      not = false
      last.values.push(word)
    }
  }
  readings.set(words, options)
  return options
}

const test = ({ not }: Option): Test<unknown> => (not ? { value: undefined, not: true } : { value: undefined })

export function matchOther(name: string, words: readonly string[], question: Question): Matched {
  const options = optionsOf(words)
  const read = readers[name]
  const unknown: Matched = {
    kind: 'maybe',
    condition: `"-m ${[name, ...words].join(' ')}" matches`,
    missing: 'a reader of that match',
  }
  if (read === undefined || options.size === 0) return unknown
  let last: Matched = yes
  for (const [option, value] of options) {
    const matched = read(option, value, question, options)
    if (matched === undefined) return unknown
    if (matched.kind !== 'yes') return matched
    last = matched
  }
  return last
}

type Reader = (option: string, value: Option, question: Question, options: Options) => Matched | undefined

const readers: Readonly<Record<string, Reader>> = {
  tcp: (option, value, { packet }) => {
    if (packet.protocol !== 'tcp') return no(`protocol is ${packet.protocol}`)
    if (option === 'tcp-flags') return matchFlags(value, packet)
    if (option === 'syn') return decided(packet.state === 'NEW', test(value), 'the packet opens a connection')
    return readPort(option, value, packet)
  },
  multiport: (option, value, { packet }) => {
    if (!hasPorts(packet.protocol)) return no(`protocol is ${packet.protocol}`)
    const list = (value.values[0] ?? '').split(',')
    const has = (port: number) => list.some((item) => matchPort({ value: item }, port, '')?.kind === 'yes')
    const { sourcePort, destinationPort } = packet
    if (/^(dports|destination-ports)$/.test(option))
      return decided(has(destinationPort), test(value), `destination port is ${destinationPort}`)
    if (/^(sports|source-ports)$/.test(option))
      return decided(has(sourcePort), test(value), `source port is ${sourcePort}`)
    if (option !== 'ports') return undefined
    return decided(has(sourcePort) || has(destinationPort), test(value), `ports are ${sourcePort}, ${destinationPort}`)
  },
  conntrack: (option, value, { packet }) => {
    const { connection } = packet
    const text = value.values[0] ?? ''
    switch (option) {
      case 'ctstate':
        return decided(stateHolds(text.split(','), packet), test(value), `the connection is ${renderState(packet)}`)
      case 'ctdir':
        return decided(
          (connection?.direction ?? 'original') === text.toLowerCase(),
          test(value),
          `it goes in direction ${connection?.direction ?? 'original'}`,
        )
      case 'ctorigdst':
      case 'ctorigsrc': {
        const ip =
          option === 'ctorigdst'
            ? (connection?.original.destination ?? packet.destination)
            : (connection?.original.source ?? packet.source)
        return decided(rangeOrSpan(text, ip), test(value), `the connection began with ${ip}`)
      }
      case 'ctorigdstport': {
        const port = connection?.original.destinationPort ?? packet.destinationPort
        return matchPort(portTest(text, value), port, 'the port that the connection began with')
      }
      case 'ctproto':
        return decided(
          text === packet.protocol || protocolIs(text, packet),
          test(value),
          `protocol is ${packet.protocol}`,
        )
      case 'ctstatus': {
        const replied = packet.state === 'ESTABLISHED'
        const holds = text
          .split(',')
          .some((word) =>
            word === 'SEEN_REPLY' || word === 'ASSURED' || word === 'CONFIRMED'
              ? replied
              : word === 'DNAT'
                ? connection?.destinationNat !== undefined
                : word === 'SNAT'
                  ? connection?.sourceNat !== undefined
                  : word === 'NONE'
                    ? !replied
                    : false,
          )
        return decided(holds, test(value), `the connection is ${renderState(packet)}`)
      }
      default:
        return undefined
    }
  },
  state: (_, value, { packet }) =>
    decided(
      (value.values[0] ?? '').split(',').includes(packet.state),
      test(value),
      `the connection is ${packet.state}`,
    ),
  icmp: (_, value, { packet }) =>
    packet.protocol === 'icmp' ? icmpIs(value, packet) : no(`protocol is ${packet.protocol}`),
  icmp6: (_, value, { packet }) =>
    packet.protocol === 'icmpv6' ? icmpIs(value, packet) : no(`protocol is ${packet.protocol}`),
  iprange: (option, value, { packet }) => {
    const ip = option === 'src-range' ? packet.source : packet.destination
    const holds = spanHas(value.values[0] ?? '', ip)
    return holds === undefined
      ? undefined
      : decided(holds, test(value), `${option === 'src-range' ? 'source' : 'destination'} is ${ip}`)
  },
  connmark: (_, value, { packet }) => {
    const [wanted, mask] = (value.values[0] ?? '').split('/').map(Number)
    const mark = packet.connection?.mark ?? 0
    return decided(
      (mark & (mask ?? 0xffffffff)) >>> 0 === wanted,
      test(value),
      `the connection's mark is 0x${mark.toString(16)}`,
    )
  },
  physdev: (option, value, { packet }) => {
    const port = packet.bridgePort
    if (option === 'physdev-is-bridged')
      return decided(
        port !== undefined && packet.outInterface === packet.inInterface,
        test(value),
        port === undefined ? 'it is not bridged' : `it came by bridge port ${port}`,
      )
    if (option === 'physdev-is-in')
      return decided(
        port !== undefined,
        test(value),
        port === undefined ? 'it came by no bridge port' : `it came by bridge port ${port}`,
      )
    if (option !== 'physdev-in') return undefined
    return matchInterface(
      value.not ? { value: value.values[0]!, not: true } : { value: value.values[0]! },
      port ?? '',
      'in',
    )
  },
  length: (_, value, { packet }) => matchPort(portTest(value.values[0] ?? '', value), packet.size, 'length'),
  pkttype: (_, value) => decided(value.values[0] === 'unicast', test(value), 'the packet is for one'),
  ipvs: (option, value, { packet }) => {
    if (packet.balanced !== true) return no('it did not come through IPVS')
    const { original } = connectionOf(packet)
    const text = value.values[0] ?? ''
    if (option === 'ipvs') return decided(true, test(value), 'it came through IPVS')
    if (option === 'vproto') return decided(protocolIs(text, packet), test(value), `protocol is ${packet.protocol}`)
    if (option === 'vaddr')
      return decided(
        rangeHas(text, original.destination) ?? false,
        test(value),
        `it was sent to ${original.destination}`,
      )
    return option === 'vport'
      ? matchPort(portTest(text, value), original.destinationPort, 'the port that it was sent to')
      : undefined
  },
  // What has room for more is the usual case; the share beyond is a matter of load.
  limit: (option, value) =>
    option === 'limit' ? { kind: 'maybe', condition: `fewer than ${value.values[0]} packets came by here` } : yes,
  hashlimit: (option, value) =>
    option === 'hashlimit-upto'
      ? { kind: 'maybe', condition: `fewer than ${value.values[0]} packets came by here` }
      : option === 'hashlimit-above'
        ? { kind: 'maybe', condition: `more than ${value.values[0]} packets came by here` }
        : yes,
  owner: (option, value, { packet, hook }) =>
    hook === 'output' && packet.inInterface === ''
      ? { kind: 'maybe', condition: `the sender has ${option} ${value.values.join(' ')}` }
      : no('the packet is not made here'),
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

const portTest = (text: string, { not }: Option): Test => (not ? { value: text, not: true } : { value: text })
const protocolIs = (text: string, packet: Packet) => protocolNumber(text) === protocolNumber(packet.protocol)
const rangeOrSpan = (text: string, ip: string) => rangeHas(text, ip) ?? false

function readPort(option: string, value: Option, packet: Packet): Matched | undefined {
  if (/^(dport|destination-port)$/.test(option))
    return matchPort(portTest(value.values[0] ?? '', value), packet.destinationPort, 'destination port')
  if (/^(sport|source-port)$/.test(option))
    return matchPort(portTest(value.values[0] ?? '', value), packet.sourcePort, 'source port')
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
  return decided(holds, test(value), `its flags are ${flags.join(',')}`)
}

/** What a trace sends is an echo request; what comes back its answer, or an error. */
function icmpIs(value: Option, { protocol, error, state }: Packet): Matched {
  const text = (value.values[0] ?? '').replace(/^(icmp|icmpv6)-/, '')
  if (text === 'any' || text === '255') return decided(true, test(value), 'the packet is of ICMP')
  const [request, reply] = protocol === 'icmp' ? [8, 0] : [128, 129]
  const type = error?.type ?? (state === 'NEW' ? request : reply)
  const [wantedType, wantedCode] = (icmpNames[protocol]?.[text] ?? text).split('/').map(Number)
  const holds = wantedType === type && (wantedCode === undefined || wantedCode === (error?.code ?? 0))
  return decided(holds, test(value), `its type and code are ${type}/${error?.code ?? 0}`)
}

/** Names that iptables takes; it prints numbers. */
const icmpNames: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  icmp: {
    'echo-request': '8',
    ping: '8',
    'echo-reply': '0',
    pong: '0',
    'destination-unreachable': '3',
    'network-unreachable': '3/0',
    'host-unreachable': '3/1',
    'protocol-unreachable': '3/2',
    'port-unreachable': '3/3',
    'fragmentation-needed': '3/4',
    'communication-prohibited': '3/13',
    'time-exceeded': '11',
    'parameter-problem': '12',
  },
  icmpv6: {
    'echo-request': '128',
    ping: '128',
    'echo-reply': '129',
    pong: '129',
    'destination-unreachable': '1',
    'no-route': '1/0',
    'communication-prohibited': '1/1',
    'address-unreachable': '1/3',
    'port-unreachable': '1/4',
    'packet-too-big': '2',
    'time-exceeded': '3',
    'parameter-problem': '4',
  },
}
