// Which endpoint stands at which index. An endpoint keeps its place as long as it can: so a change touches few elements,
// and the shares stay exactly equal, because the indexes have no holes.
import type { Endpoint } from '#proxy/plan/endpoints.ts'
import type { PortPlan } from '#proxy/plan/plan.ts'

/** Endpoints by index, of each policy. */
export type Arrangement = { readonly cluster: readonly Endpoint[]; readonly local: readonly Endpoint[] }

export const arrangePort = (before: Arrangement | undefined, plan: PortPlan): Arrangement => ({
  cluster: arrange(before?.cluster ?? [], plan.cluster),
  local: arrange(before?.local ?? [], plan.local),
})

/** Holes are filled with the new endpoints, then with those from the end. */
export function arrange(before: readonly Endpoint[], endpoints: readonly Endpoint[]): readonly Endpoint[] {
  if (before.length === 0) return endpoints
  const now = new Map(endpoints.map((endpoint) => [endpoint.address, endpoint]))
  const placed: (Endpoint | undefined)[] = before.map(({ address }) => now.get(address))
  for (const { address } of before) now.delete(address)
  const added = [...now.values()]
  for (let at = 0; at < placed.length && added.length > 0; at++)
    if (placed[at] === undefined) placed[at] = added.shift()
  placed.push(...added)
  for (let at = 0; at < placed.length; at++) {
    while (placed.length > at && placed.at(-1) === undefined) placed.pop()
    if (at < placed.length && placed[at] === undefined) placed[at] = placed.pop()
  }
  return placed as readonly Endpoint[]
}
