// UDP has no end of a connection: a flow that the kernel knows goes on to the endpoint that it was first sent to, also
// when that is gone. Such flows, and no others, have to be forgotten.
import type { Flow } from '#kernel/conntrack/flow.ts'
import type { PortPlan } from '#proxy/plan/plan.ts'
import { socketAddress } from '#proxy/state.ts'

/** Where flows may go that were sent to an address and port of a Service: `ip:port`, or `:port` for NodePorts. */
export type Targets = ReadonlyMap<string, ReadonlySet<string>>

/**
 * Fronts that are gone lead nowhere. Endpoints that serve may keep their flows whatever the policies say now, as TCP
 * connections would go on.
 */
export function planTargets(before: Iterable<PortPlan>, after: Iterable<PortPlan>): Targets {
  const targets = new Map<string, ReadonlySet<string>>()
  const nowhere: ReadonlySet<string> = new Set()
  for (const plan of before)
    if (plan.protocol === 'udp') for (const front of frontsOf(plan)) targets.set(front, nowhere)
  for (const plan of after) {
    if (plan.protocol !== 'udp') continue
    const serving = new Set(
      plan.all.filter((endpoint) => endpoint.serving || endpoint.ready).map(({ address }) => address),
    )
    for (const front of frontsOf(plan)) targets.set(front, serving)
  }
  return targets
}

function frontsOf({ clusterIp, port, fronts }: PortPlan): string[] {
  return [
    socketAddress(clusterIp, port),
    ...fronts.map((front) => (front.kind === 'node-port' ? `:${front.port}` : socketAddress(front.address, port))),
  ]
}

/** `nodeIps`: addresses of the node, on which NodePorts answer; a flow to elsewhere is not ours. */
export function staleFlows(flows: readonly Flow[], targets: Targets, nodeIps: ReadonlySet<string>): Flow[] {
  return flows.filter(({ original, reply }) => {
    const serving =
      targets.get(socketAddress(original.destination, original.destinationPort)) ??
      (nodeIps.has(original.destination) ? targets.get(`:${original.destinationPort}`) : undefined)
    return serving !== undefined && !serving.has(socketAddress(reply.source, reply.sourcePort))
  })
}
