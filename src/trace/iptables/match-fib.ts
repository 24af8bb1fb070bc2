// Matches of iptables that ask the routing tables: what kind of address one is, and whether answers would leave by the
// interface that the packet came in by.

import type { Test } from '#kernel/iptables/rule.ts'
import { type AddressType, addressType, addressTypeOn } from '#trace/address-type.ts'
import { decided, type Question, unknownAddress } from '#trace/iptables/match.ts'
import { type Option, type Options, testOf, textTest } from '#trace/iptables/option.ts'
import type { Machine } from '#trace/machine.ts'
import { familyOf } from '#trace/packet.ts'
import { lookupRoute } from '#trace/route/lookup.ts'
import { type Matched, yes } from '#trace/way.ts'

/** `device`: only an address of this interface is LOCAL (net/netfilter/xt_addrtype.c). */
export function matchAddressType(
  test: Test,
  address: string,
  side: 'source' | 'destination',
  machine: Machine,
  device?: string,
): Matched {
  const type = typeOf(address, machine, device)
  const where = device === undefined ? 'here' : `on ${device}`
  if (type === undefined)
    return {
      kind: 'maybe',
      condition: `${side} ${address} is ${test.value} ${where}`,
      unless: test.not === true,
      missing: 'ip addr',
    }
  return decided(isOfType(test.value.split(','), type, address), test, `${side} ${address} is ${type} ${where}`)
}

/** In IPv6 any address that is not for many is UNICAST, the machine's own too. */
const isOfType = (wanted: readonly string[], type: AddressType, address: string): boolean =>
  address.includes(':')
    ? wanted.every((word) => (word === 'UNICAST' ? type !== 'MULTICAST' : word === type))
    : wanted.includes(type)

function typeOf(address: string, machine: Machine, device: string | undefined): AddressType | undefined {
  if (address === unknownAddress) return device === undefined ? 'LOCAL' : undefined
  return device === undefined ? addressType(address, machine) : addressTypeOn(address, machine, device)
}

/** One option of `-m addrtype` with a limit to an interface; undefined where the inputs do not tell that. */
export function matchLimitedType(
  option: string,
  value: Option,
  question: Question,
  options: Options,
): Matched | undefined {
  if (option.startsWith('limit-iface-')) return yes
  const { packet, machine } = question
  const isIn = options.has('limit-iface-in')
  const device = isIn ? packet.inInterface : packet.outInterface
  if (device === undefined) return undefined
  const test = textTest(value.values[0] ?? '', value)
  if (option === 'src-type') return matchAddressType(test, packet.source, 'source', machine, device)
  return option === 'dst-type' ? matchAddressType(test, packet.destination, 'destination', machine, device) : undefined
}

/** `-m rpfilter` (net/ipv4/netfilter/ipt_rpfilter.c): an address of the machine itself is believed from nobody. */
export function matchReversePath({ packet, machine }: Question, options: Options): Matched | undefined {
  const device = packet.inInterface
  const test = testOf({ not: options.has('invert'), values: [] })
  if (device === 'lo') return decided(true, test, 'it goes in by lo')
  if (device === undefined || machine.routes === undefined) return undefined
  const [choice] = lookupRoute(machine, {
    family: familyOf(packet),
    destination: packet.source,
    source: packet.destination,
    mark: options.has('validmark') ? packet.mark : 0,
    incoming: '',
    protocol: packet.protocol,
    sourcePort: 0,
    destinationPort: 0,
  })
  const routed = choice?.routed
  if (routed === undefined || routed.kind === 'unknown') return undefined
  if (routed.kind === 'local')
    return decided(options.has('accept-local'), test, `${packet.source} is an address of ${machine.name} itself`)
  if (routed.kind === 'refused') return decided(false, test, `there is no route back to ${packet.source}`)
  const why = `the way back to ${packet.source} is ${routed.device}`
  return decided(options.has('loose') || routed.device === device, test, why)
}
