// Types of ICMP, of what a trace sends and of what comes back.

import { decided } from '#trace/iptables/match.ts'
import { type Option, testOf } from '#trace/iptables/option.ts'
import type { Packet } from '#trace/packet.ts'
import type { Matched } from '#trace/way.ts'

/** What a trace sends is an echo request; what comes back its answer, or an error. */
export function matchIcmp(value: Option, { protocol, error, state }: Packet): Matched {
  const text = (value.values[0] ?? '').replace(/^(icmp|icmpv6)-/, '')
  if (text === 'any' || text === '255') return decided(true, testOf(value), 'the packet is of ICMP')
  const [request, reply] = protocol === 'icmp' ? [8, 0] : [128, 129]
  const type = error?.type ?? (state === 'NEW' ? request : reply)
  const [wantedType, wantedCode] = (icmpNames[protocol]?.[text] ?? text).split('/').map(Number)
  const holds = wantedType === type && (wantedCode === undefined || wantedCode === (error?.code ?? 0))
  return decided(holds, testOf(value), `its type and code are ${type}/${error?.code ?? 0}`)
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
