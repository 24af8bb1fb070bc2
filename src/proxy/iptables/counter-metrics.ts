// effect: netlink sockets
// Packets that rules have counted by name, read when someone asks for the metrics.
import type { Registry } from '#daemon/metrics.ts'
import { readCounters } from '#kernel/netfilter/accounting.ts'
import { invalidDroppedCounter, localhostAcceptedCounter } from '#proxy/iptables/render-options.ts'

const counters = {
  [invalidDroppedCounter]: {
    name: 'kubeproxy_iptables_ct_state_invalid_dropped_packets_total',
    help: 'Packets dropped because no connection knew them',
  },
  [localhostAcceptedCounter]: {
    name: 'kubeproxy_iptables_localhost_nodeports_accepted_packets_total',
    help: 'Packets accepted on NodePorts of the loopback interface',
  },
} as const

export function collectCounters(registry: Registry): void {
  for (const [counter, { name, help }] of Object.entries(counters))
    registry.gauge(name, help, [], (gauge) => {
      const packets = readCounters().get(counter)
      if (packets !== undefined) gauge.set(Number(packets))
    })
}
