// effect: /proc of other processes, netlink sockets
// The network namespaces of pods on this machine, whatever runtime made them, found by the addresses in them.
import { readdirSync, readlinkSync } from 'node:fs'
import type { Ip } from '#lib/ip.ts'
import { openRoute } from '#kernel/route/open-route.ts'

type OtherNamespace = { readonly netns: string; readonly ips: readonly Ip[] }

/**
 * Paths of namespaces that processes here live in, beside our own, by the addresses in them. Several clusters of one
 * machine use the same addresses: a namespace that a link of ours leads into goes before any other.
 */
export function namespacesByAddress(): ReadonlyMap<Ip, string> {
  const [linked, other]: [OtherNamespace[], OtherNamespace[]] = [[], []]
  using here = openRoute()
  // The kernel numbers the namespaces of the other ends when it lists links.
  here.links()
  const seen = new Set([readlinkSync('/proc/self/ns/net')])
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue
    const netns = `/proc/${pid}/ns/net`
    try {
      const id = readlinkSync(netns)
      if (seen.has(id)) continue
      using route = openRoute(netns)
      const found = { netns, ips: route.addresses().map(({ ip }) => ip) }
      ;(here.namespaceId(netns) === undefined ? other : linked).push(found)
      seen.add(id)
    } catch {
      // a process that has ended
    }
  }
  // The first of a kind stays: what is set last wins.
  const ordered = [...linked, ...other].toReversed()
  return new Map(ordered.flatMap(({ netns, ips }) => ips.map((ip): [Ip, string] => [ip, netns])))
}
