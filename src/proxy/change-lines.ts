// What the log says about a change: kube-proxy's words, with the addresses behind them.
import type { Endpoint } from '#proxy/plan/endpoints.ts'
import type { PortPlan } from '#proxy/plan/plan.ts'
import { socketAddress } from '#proxy/state.ts'

/** A line for each port that came, went or moved, and for each port whose endpoints changed. */
export function changeLines(before: readonly PortPlan[], after: readonly PortPlan[]): string[] {
  const key = ({ name, protocol }: PortPlan) => `${name}/${protocol}`
  const old = new Map(before.map((plan) => [key(plan), plan]))
  const now = new Set(after.map(key))
  const lines = before.filter((plan) => !now.has(key(plan))).map(({ name }) => `Removing service port "${name}"`)
  for (const plan of after) {
    const had = old.get(key(plan))
    if (had === undefined) lines.push(`Adding new service port "${plan.name}" at ${frontsText(plan)}`)
    else if (frontsText(had) !== frontsText(plan))
      lines.push(`Updating existing service port "${plan.name}" at ${frontsText(plan)}`)
    const endpoints = endpointsText(plan)
    if (endpoints !== (had === undefined ? '[]' : endpointsText(had)))
      lines.push(`Setting endpoints for service port name "${plan.name}" to ${endpoints}`)
  }
  return lines
}

/** `10.96.0.1:443/TCP`, and where else it can be reached. */
function frontsText({ clusterIp, port, protocol, fronts }: PortPlan): string {
  const others = fronts.map((front) =>
    front.kind === 'node-port' ? `node port ${front.port}` : socketAddress(front.address, port),
  )
  return [`${socketAddress(clusterIp, port)}/${protocol.toUpperCase()}`, ...others].join(', ')
}

/** Those that take connections from anywhere in the cluster. */
function endpointsText({ all }: PortPlan): string {
  const ready = all.filter((endpoint) => endpoint.ready)
  const usable = ready.length > 0 ? ready : all.filter(({ serving, terminating }: Endpoint) => serving && terminating)
  return `[${usable.map(({ address }) => address).join(' ')}]`
}
