// Where a rule keeps what it looks up: the 16 registers of 4 bytes, in an order that makes the key of every set stand in
// a row. For IPv6, whose addresses take four registers, that is exactly all of them.
//
//   source   daddr . protocol . port . index   endpoint's address . port
//
// The key of a front end begins at `destination` and has three parts, that of an endpoint has the index besides; the
// memory of affinity is keyed from `source` on.
import * as e from '#kernel/nftables/expression.ts'
import type { Family } from '#proxy/state.ts'

export type Registers = {
  readonly source: number
  readonly destination: number
  readonly protocol: number
  readonly port: number
  readonly index: number
  readonly endpointIp: number
  readonly endpointPort: number
}

const of4: Registers = { source: 0, destination: 1, protocol: 2, port: 3, index: 4, endpointIp: 5, endpointPort: 6 }
const of6: Registers = { source: 0, destination: 4, protocol: 8, port: 9, index: 10, endpointIp: 11, endpointPort: 15 }
export const registersOf = (family: Family): Registers => (family === 4 ? of4 : of6)

/** What a family's rules are put together from. */
export type Parts = {
  readonly family: Family
  readonly registers: Registers
  readonly addressLength: number
  loadSource(to: number): e.Expression
  loadDestination(to: number): e.Expression
  /** destination . protocol . port of the packet */
  readonly tuple: readonly e.Expression[]
  /** the same with an address of zeros, under which NodePorts stand */
  readonly anyTuple: readonly e.Expression[]
}

const [IPV4, IPV6] = [
  { source: 12, destination: 16, length: 4 },
  { source: 8, destination: 24, length: 16 },
]

export function partsOf(family: Family): Parts {
  const header = family === 4 ? IPV4! : IPV6!
  const registers = registersOf(family)
  const loadSource = (to: number) => e.payload(to, 'network', header.source, header.length)
  const loadDestination = (to: number) => e.payload(to, 'network', header.destination, header.length)
  const rest = [e.meta(registers.protocol, 'protocol'), e.payload(registers.port, 'transport', 2, 2)]
  return {
    family,
    registers,
    addressLength: header.length,
    loadSource,
    loadDestination,
    tuple: [loadDestination(registers.destination), ...rest],
    anyTuple: [e.load(registers.destination, new Uint8Array(header.length)), ...rest],
  }
}
