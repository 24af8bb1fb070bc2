// Which endpoints of a Service port take connections: of the whole cluster, and of this node alone.
import type { Endpoint } from '#proxy/plan/endpoints.ts'

export type Place = { readonly node: string; readonly zone: string }

/** Ready endpoints, those near by first; without any, the ones that still serve while they terminate. */
export function chooseCluster(endpoints: readonly Endpoint[], place: Place): readonly Endpoint[] {
  // The same list where it can be: most Services are always as ready as they can be.
  const ready = endpoints.every(isReady) ? endpoints : endpoints.filter(isReady)
  return ready.length > 0 ? nearest(ready, place) : endpoints.filter(servesWhileTerminating)
}

/** The same for this node alone, where hints do not matter. */
export function chooseLocal(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  const local = endpoints.filter((endpoint) => endpoint.local)
  const ready = local.filter((endpoint) => endpoint.ready)
  return ready.length > 0 ? ready : local.filter(servesWhileTerminating)
}

/** Whether any endpoint anywhere takes connections. */
export const hasUsable = (endpoints: readonly Endpoint[]): boolean =>
  endpoints.some((endpoint) => endpoint.ready || servesWhileTerminating(endpoint))

const isReady = ({ ready }: Endpoint) => ready
const servesWhileTerminating = ({ serving, terminating }: Endpoint) => serving && terminating

/**
 * Hints count only where every ready endpoint has one and some are for here: for the node first, else for the zone
 * (PreferSameNode, PreferSameZone). Else all are as good as each other.
 */
function nearest(ready: readonly Endpoint[], { node, zone }: Place): readonly Endpoint[] {
  for (const [hint, here] of [['nodes', node] as const, ['zones', zone] as const]) {
    if (!ready.every((endpoint) => endpoint[hint].length > 0)) continue
    const near = ready.filter((endpoint) => endpoint[hint].includes(here))
    if (near.length > 0) return near
  }
  return ready
}
