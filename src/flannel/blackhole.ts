// effect: routes by netlink
// A route that leads nowhere for the node's own range, behind all others: where no bridge has the range (each pod has a route of
// its own, as with Canal), a packet for a pod that is gone would else leave by the default route.
import type { Route } from '#kernel/route/open-route.ts'
import type { Self } from '#flannel/backend.ts'

/** Says that the route is ours: a number that no routing daemon has (linux/rtnetlink.h). */
const protocol = 70
const lastMetric = 0x7fffffff

export function ensureBlackholes(route: Route, isWanted: boolean, selves: readonly Self[]): void {
  const found = route.routes().filter((one) => one.type === 'blackhole' && one.protocol === protocol)
  const wanted = isWanted ? selves.map(({ subnet }) => subnet) : []
  for (const { destination } of found)
    if (!wanted.includes(destination)) route.deleteRoute({ destination, type: 'blackhole', metric: lastMetric })
  for (const destination of wanted)
    if (!found.some((one) => one.destination === destination))
      route.replaceRoute({ destination, type: 'blackhole', metric: lastMetric, protocol })
}
