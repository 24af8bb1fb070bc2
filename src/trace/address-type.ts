// What kind of address one is to a machine (linux/rtnetlink.h, RTN_*).

import { addressesOf, type Machine, perMachine } from '#trace/machine.ts'
import { addressBytes } from '#trace/ranges.ts'

export type AddressType = 'LOCAL' | 'BROADCAST' | 'MULTICAST' | 'UNICAST'

/** Undefined: the machine's own addresses are not known. */
export function addressType(ip: string, machine: Machine): AddressType | undefined {
  const bytes = addressBytes(ip)
  if (bytes === undefined) return undefined
  const isV4 = bytes.length === 4
  if (isV4 ? bytes[0] === 127 : ip === '::1') return 'LOCAL'
  if (isV4 ? bytes[0]! >> 4 === 14 : bytes[0] === 0xff) return 'MULTICAST'
  if (ip === '255.255.255.255') return 'BROADCAST'
  const own = addressesOf(machine)
  if (own === undefined) return undefined
  if (own.has(ip)) return 'LOCAL'
  return broadcastsOf(machine).has(ip) ? 'BROADCAST' : 'UNICAST'
}

/** The same where only what is an address of this interface counts as the machine's (net/ipv4/fib_frontend.c, inet_dev_addr_type). */
export function addressTypeOn(ip: string, machine: Machine, device: string): AddressType | undefined {
  const type = addressType(ip, machine)
  if (type !== 'LOCAL') return type
  const isLoopback = ip.startsWith('127.') || ip === '::1'
  const link = machine.links?.find(({ name }) => name === device)
  return (isLoopback && device === 'lo') || link?.addresses?.some((own) => own.ip === ip) === true ? 'LOCAL' : 'UNICAST'
}

const broadcastsOf = perMachine((machine): ReadonlySet<string> => {
  const found = new Set<string>()
  for (const link of machine.links ?? [])
    for (const { ip, prefix } of link.addresses ?? []) {
      const bytes = addressBytes(ip)
      if (bytes?.length !== 4 || prefix >= 31) continue
      found.add(bytes.map((byte, i) => byte | (0xff >> Math.min(8, Math.max(0, prefix - i * 8)))).join('.'))
    }
  for (const route of machine.routes ?? []) if (route.type === 'broadcast') found.add(route.destination.split('/')[0]!)
  return found
})
