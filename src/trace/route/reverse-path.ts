// Whether a machine believes the source of a packet that arrives (net/ipv4/fib_frontend.c, fib_validate_source): strict,
// where answers must leave by the same interface; loose, where there must be a route at all.

import { deviceSetting } from '#kernel/dump/sysctl.ts'
import { addressType } from '#trace/address-type.ts'
import type { Machine } from '#trace/machine.ts'
import { familyOf, type Packet } from '#trace/packet.ts'
import { lookupRoute } from '#trace/route/lookup.ts'
import { type Matched, no, yes } from '#trace/way.ts'

/** `yes`: it is believed. */
export function believesSource(machine: Machine, packet: Packet): Matched {
  const device = packet.inInterface
  if (device === undefined || device === '' || device === 'lo' || familyOf(packet) === 6) return yes
  const { sysctls } = machine
  const of = (name: string, scope: string) =>
    sysctls === undefined ? undefined : deviceSetting(sysctls, 4, scope, name)
  if (addressType(packet.source, machine) === 'LOCAL' && packet.source !== '?') {
    if (of('accept_local', 'all') === 1 || of('accept_local', device) === 1) return yes
    return no(`${packet.source} is an address of ${machine.name} itself, and arrives from outside (martian source)`)
  }
  if (
    packet.destination.startsWith('127.') &&
    !(of('route_localnet', 'all') === 1 || of('route_localnet', device) === 1)
  ) {
    if (sysctls === undefined)
      return { kind: 'maybe', condition: `net.ipv4.conf.${device}.route_localnet is 1`, missing: 'sysctl -a' }
    return no(`127.0.0.0/8 is not reached from outside: net.ipv4.conf.${device}.route_localnet is 0`)
  }
  if (machine.routes === undefined) return yes
  const mark = of('src_valid_mark', device) === 1 || of('src_valid_mark', 'all') === 1 ? packet.mark : 0
  const back = lookupRoute(machine, {
    family: 4,
    destination: packet.source,
    source: packet.destination,
    mark,
    incoming: device,
    protocol: packet.protocol,
    sourcePort: packet.destinationPort,
    destinationPort: packet.sourcePort,
  })
  const devices = back.flatMap(({ routed }) => (routed.kind === 'forward' ? [routed.device] : []))
  if (devices.includes(device)) return yes
  const [all, own] = [of('rp_filter', 'all'), of('rp_filter', device)]
  const way =
    devices.length === 0 ? 'there is no route back' : `the way back to ${packet.source} is ${devices.join(', ')}`
  const why = `${way}, not ${device}`
  if (all === undefined && own === undefined)
    return {
      kind: 'maybe',
      condition: `net.ipv4.conf.${device}.rp_filter is not strict (${why})`,
      missing: 'sysctl -a',
    }
  const setting = Math.max(all ?? 0, own ?? 0)
  if (setting === 0 || (setting === 2 && devices.length > 0)) return yes
  return no(`${why}: rp_filter is ${setting}`)
}
