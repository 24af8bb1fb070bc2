// Which of its addresses a machine uses (net/ipv4/devinet.c, inet_select_addr): one of the interface, in the network of
// the next hop if there is one, else the first.

import type { DumpedAddress } from '#kernel/dump/link.ts'
import type { Machine } from '#trace/machine.ts'
import { addressType } from '#trace/address-type.ts'
import { rangeHas } from '#trace/ranges.ts'

/** Undefined where the addresses are not known. */
export function sourceAddress(
  machine: Machine,
  family: 4 | 6,
  device: string | undefined,
  towards: string,
): string | undefined {
  // Its own addresses are reached from themselves (RFC 6724, rule 1).
  if (family === 6 && addressType(towards, machine) === 'LOCAL') return towards
  const links = machine.links?.filter((link) => link.addresses !== undefined) ?? []
  const usable = ({ ip, scope }: DumpedAddress) => ip.includes(':') === (family === 6) && scope === 'global'
  const own = links.find((link) => link.name === device)?.addresses?.filter(usable) ?? []
  const near = own.find(({ ip, prefix, peer }) => rangeHas(`${peer ?? ip}/${prefix}`, towards))
  if (device === undefined) return undefined
  return (near ?? own[0] ?? links.flatMap((link) => link.addresses!.filter(usable))[0])?.ip
}
