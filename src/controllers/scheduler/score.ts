// Which of the nodes that fit is the best: the sum of weighted scores from 0 to 100, as Kubernetes weighs them.

import type { Taint } from '#api/core.ts'
import { isTolerated } from '#api/taint.ts'
import type { Wanted } from '#controllers/scheduler/filter.ts'
import { nodePreference } from '#controllers/scheduler/node-affinity.ts'
import { weightOf } from '#controllers/scheduler/resources.ts'
import type { NodeView } from '#controllers/scheduler/view.ts'

/** Weight and rule. `more` says whether more of it is better; its scores are stretched from 0 to 100. */
type Rule = { readonly weight: number; readonly more: boolean; value(wanted: Wanted, view: NodeView): number }

const relative = (crowd: (view: NodeView) => number): readonly Rule[] => [
  { weight: 3, more: false, value: (wanted, view) => discouraging(wanted, view).length },
  { weight: 2, more: true, value: ({ pod }, view) => nodePreference(pod, view) },
  { weight: 2, more: false, value: (_, view) => crowd(view) },
  { weight: 2, more: true, value: ({ neighbours }, view) => neighbours.preference(view) },
]

/** The best node. Among equals, the one with fewer pods, then the first by name. */
export function bestOf(
  wanted: Wanted,
  views: readonly NodeView[],
  crowd: (view: NodeView) => number,
): NodeView | undefined {
  const totals = views.map((view) => leastAllocated(wanted, view) + balanced(wanted, view))
  for (const { weight, more, value } of relative(crowd)) {
    const values = views.map((view) => value(wanted, view))
    const [low, high] = [Math.min(...values), Math.max(...values)]
    if (low === high) continue
    for (const [i, one] of values.entries()) {
      const share = (one - low) / (high - low)
      totals[i]! += weight * 100 * (more ? share : 1 - share)
    }
  }
  return views
    .map((view, i) => ({ view, total: totals[i]! }))
    .sort((a, b) => b.total - a.total || a.view.pods.length - b.view.pods.length || byName(a.view, b.view))[0]?.view
}

function byName(a: NodeView, b: NodeView): number {
  return a.node.metadata.name.localeCompare(b.node.metadata.name, 'en', { numeric: true })
}

function discouraging({ pod }: Wanted, { node }: NodeView): readonly Taint[] {
  const soft = (node.spec.taints ?? []).filter(({ effect }) => effect === 'PreferNoSchedule')
  return soft.filter((taint) => !isTolerated(taint, pod.spec.tolerations))
}

/** The share of CPU and memory that is taken with this pod on the node; a node that does not say has endless. */
function taken({ pod }: Wanted, { allocatable, weight }: NodeView): readonly [cpu: number, memory: number] {
  const its = weightOf(pod)
  const share = (used: number, has: number | undefined) => (has ? Math.min(1, used / has) : 0)
  return [
    share(weight.cpu + its.cpu, allocatable.get('cpu')),
    share(weight.memory + its.memory, allocatable.get('memory')),
  ]
}

function leastAllocated(wanted: Wanted, view: NodeView): number {
  const [cpu, memory] = taken(wanted, view)
  return Math.floor(((1 - cpu) * 100 + (1 - memory) * 100) / 2)
}

function balanced(wanted: Wanted, view: NodeView): number {
  const [cpu, memory] = taken(wanted, view)
  return Math.floor((1 - Math.abs(cpu - memory) / 2) * 100)
}
