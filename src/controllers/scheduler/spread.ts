// Spreading: how evenly pods of a kind lie over nodes and zones.

import type { Pod } from '#api/core.ts'
import { type Labels, matchLabelSelector, matchSelectorMap } from '#api/selector.ts'
import type { Stored } from '#api/stored.ts'
import { matchesNode } from '#controllers/scheduler/node-affinity.ts'
import { type ClusterView, type NodeView, domainOf } from '#controllers/scheduler/view.ts'

type Constraint = NonNullable<NonNullable<Pod['spec']>['topologySpreadConstraints']>[number]

const mismatch = "node(s) didn't match pod topology spread constraints"

/** What the constraints that must hold say about each node; worked out once for a pod. */
export function spreadObjection(pod: Stored<Pod>, cluster: ClusterView): (view: NodeView) => string | undefined {
  const constraints = (pod.spec.topologySpreadConstraints ?? []).filter(
    ({ whenUnsatisfiable }) => whenUnsatisfiable !== 'ScheduleAnyway',
  )
  if (constraints.length === 0) return () => undefined
  const counted = constraints.map((constraint) => {
    const counts = countByDomain(pod, constraint, constraints, cluster)
    const fewest = counts.size < (constraint.minDomains ?? 1) ? 0 : Math.min(...counts.values())
    const itself = matchesConstraint(constraint, pod, pod) ? 1 : 0
    return { constraint, counts, fewest, itself }
  })
  return (view) => {
    for (const { constraint, counts, fewest, itself } of counted) {
      const domain = domainOf(view, constraint.topologyKey)
      if (domain === undefined) return `${mismatch} (missing required label)`
      const skew = (counts.get(domain) ?? 0) + itself - fewest
      if (skew > constraint.maxSkew) return mismatch
    }
    return undefined
  }
}

/** Only nodes with all the keys, and that the pod may run on at all, make domains. */
function countByDomain(
  pod: Stored<Pod>,
  constraint: Constraint,
  all: readonly Constraint[],
  cluster: ClusterView,
): Map<string, number> {
  const counts = new Map<string, number>()
  for (const view of cluster.nodes) {
    if (all.some(({ topologyKey }) => domainOf(view, topologyKey) === undefined)) continue
    if (constraint.nodeAffinityPolicy !== 'Ignore' && !matchesNode(pod, view)) continue
    const domain = domainOf(view, constraint.topologyKey)!
    const count = view.pods.filter((other) => matchesConstraint(constraint, pod, other)).length
    counts.set(domain, (counts.get(domain) ?? 0) + count)
  }
  return counts
}

function matchesConstraint(constraint: Constraint, pod: Stored<Pod>, other: Stored<Pod>): boolean {
  const { labelSelector, matchLabelKeys = [] } = constraint
  const { labels = {} } = pod.metadata
  return (
    other.metadata.namespace === pod.metadata.namespace &&
    other.metadata.deletionTimestamp === undefined &&
    matchLabelSelector(labelSelector, other.metadata.labels) &&
    matchLabelKeys.every((key) => labels[key] === undefined || other.metadata.labels?.[key] === labels[key])
  )
}

const zoneKey = 'topology.kubernetes.io/zone'
const hostKey = 'kubernetes.io/hostname'

/**
 * How crowded a node is with pods like this one: those that its soft constraints count, or else those of the same
 * Services and controller, on the node itself and, for less, in its zone.
 */
export function crowdOf(pod: Stored<Pod>, cluster: ClusterView): (view: NodeView) => number {
  const soft = (pod.spec.topologySpreadConstraints ?? []).filter(
    ({ whenUnsatisfiable }) => whenUnsatisfiable === 'ScheduleAnyway',
  )
  const parts =
    soft.length > 0
      ? soft.map((constraint) => ({
          key: constraint.topologyKey,
          counts: countByDomain(pod, constraint, soft, cluster),
          weight: 1,
        }))
      : usualParts(pod, cluster)
  return (view) =>
    parts.reduce((sum, { key, counts, weight }) => {
      const domain = key === hostKey ? view.node.metadata.name : domainOf(view, key)
      return sum + weight * (domain === undefined ? 0 : (counts.get(domain) ?? 0))
    }, 0)
}

function usualParts(pod: Stored<Pod>, cluster: ClusterView) {
  const groups = cluster.groupsOf(pod)
  const perNode = new Map<string, number>()
  const perZone = new Map<string, number>()
  for (const view of cluster.nodes) {
    const count = view.pods.filter((other) => isAlike(pod, other, groups)).length
    perNode.set(view.node.metadata.name, count)
    const zone = domainOf(view, zoneKey)
    if (zone !== undefined) perZone.set(zone, (perZone.get(zone) ?? 0) + count)
  }
  return [
    { key: hostKey, counts: perNode, weight: 1 },
    { key: zoneKey, counts: perZone, weight: 0.5 },
  ]
}

function isAlike(pod: Stored<Pod>, other: Stored<Pod>, groups: readonly Labels[]): boolean {
  return (
    other.metadata.namespace === pod.metadata.namespace &&
    other.metadata.deletionTimestamp === undefined &&
    groups.some((group) => matchSelectorMap(group, other.metadata.labels))
  )
}
