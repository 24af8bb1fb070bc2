// effect: /proc of other processes, netlink sockets
// The network namespaces of pods on this machine, whatever runtime made them, found by the addresses in them.
import { readdirSync, readlinkSync } from 'node:fs'
import type { Ip } from '#lib/ip.ts'
import { openRoute } from '#kernel/route/open-route.ts'

/** Paths of namespaces that processes here live in, beside our own, with their addresses. */
export function* otherNamespaces(): Generator<{ readonly netns: string; readonly ips: readonly Ip[] }> {
  const seen = new Set([readlinkSync('/proc/self/ns/net')])
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue
    const netns = `/proc/${pid}/ns/net`
    try {
      const id = readlinkSync(netns)
      if (seen.has(id)) continue
      seen.add(id)
      using route = openRoute(netns)
      yield { netns, ips: route.addresses().map(({ ip }) => ip) }
    } catch {
      // a process that has ended
    }
  }
}
