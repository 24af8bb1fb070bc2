// From Ingresses, Services, EndpointSlices and Secrets to one routing table, and to what is to be said about objects
// that cannot be served as they are: all at once. The controller keeps a table and tells it of changes.

import type { Ingress } from '#api/networking.ts'
import type { Stored } from '#api/stored.ts'
import type { Problem } from '#ingress/compile.ts'
import type { RoutingTable } from '#ingress/route.ts'
import type { IngressState } from '#ingress/state.ts'
import { IngressTable } from '#ingress/table.ts'

export type IngressPlan = {
  readonly table: RoutingTable
  readonly problems: readonly (Problem & { readonly ingress: Stored<Ingress> })[]
  /** those that are served, as `NAMESPACE/NAME` */
  readonly served: readonly string[]
}

export function plan(state: IngressState): IngressPlan {
  const table = new IngressTable(state)
  const { told } = table.update([{ kind: 'all' }])
  const problems = [...told].flatMap((key) =>
    table.problemsOf(key).map((problem) => ({ ...problem, ingress: state.ingress(key)! })),
  )
  return { table, problems, served: [...table.served.keys()] }
}
