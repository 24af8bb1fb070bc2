// Which pods a pod wants near it, and which not.

import type { Pod } from '#api/core.ts'
import { matchLabelSelector } from '#api/selector.ts'
import type { Stored } from '#api/stored.ts'
import { type ClusterView, type NodeView, domainOf } from '#controllers/scheduler/view.ts'

type PodAffinity = NonNullable<NonNullable<NonNullable<Pod['spec']>['affinity']>['podAffinity']>
type Term = NonNullable<PodAffinity['requiredDuringSchedulingIgnoredDuringExecution']>[number]

const requiredNear = ({ spec }: Pod): readonly Term[] =>
  spec?.affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []
const requiredAway = ({ spec }: Pod): readonly Term[] =>
  spec?.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []

/** Whether `other` is one of those that a term of `pod` is about. */
function isMeant(term: Term, pod: Stored<Pod>, other: Stored<Pod>, cluster: ClusterView): boolean {
  const { namespaces = [], namespaceSelector, labelSelector } = term
  const { namespace } = other.metadata
  const isIn =
    namespaces.length === 0 && namespaceSelector === undefined
      ? namespace === pod.metadata.namespace
      : namespaces.includes(namespace) ||
        (namespaceSelector !== undefined && matchLabelSelector(namespaceSelector, cluster.namespaceLabels(namespace)))
  return isIn && matchLabelSelector(labelSelector, other.metadata.labels)
}

/** What pod affinity says about all nodes; worked out once for a pod. */
export type Neighbours = {
  /** Why a node is ruled out; undefined: it is not */
  objection(view: NodeView): string | undefined
  /** the sum of the weights of what it prefers to be near, less what it prefers to be away from */
  preference(view: NodeView): number
}

export function neighboursOf(pod: Stored<Pod>, cluster: ClusterView): Neighbours {
  const near = requiredNear(pod)
  const away = requiredAway(pod)
  const nearDomains = near.map((term) => domainsWith(term, pod, cluster))
  // The first of a group that wants to be together has nobody to be near to yet.
  const isFirst =
    nearDomains.every((domains) => domains.size === 0) && near.every((term) => isMeant(term, pod, pod, cluster))
  const awayDomains = away.map((term) => domainsWith(term, pod, cluster))
  const kept = domainsKeptFrom(pod, cluster)
  return {
    objection(view) {
      const missesNear = near.some(({ topologyKey }, i) => {
        const domain = domainOf(view, topologyKey)
        return domain === undefined || !(isFirst || nearDomains[i]!.has(domain))
      })
      if (missesNear) return "node(s) didn't match pod affinity rules"
      if (away.some(({ topologyKey }, i) => awayDomains[i]!.has(domainOf(view, topologyKey) ?? '')))
        return "node(s) didn't match pod anti-affinity rules"
      if (kept.some(({ key, domain }) => domainOf(view, key) === domain))
        return "node(s) didn't satisfy existing pods anti-affinity rules"
      return undefined
    },
    preference: preferenceOf(pod, cluster),
  }
}

function domainsWith(term: Term, pod: Stored<Pod>, cluster: ClusterView): ReadonlyMap<string, number> {
  const domains = new Map<string, number>()
  for (const view of cluster.nodes) {
    const domain = domainOf(view, term.topologyKey)
    if (domain === undefined) continue
    const count = view.pods.filter((other) => isMeant(term, pod, other, cluster)).length
    if (count > 0) domains.set(domain, (domains.get(domain) ?? 0) + count)
  }
  return domains
}

/** Where pods run that do not want this one near. */
function domainsKeptFrom(pod: Stored<Pod>, cluster: ClusterView): readonly { key: string; domain: string }[] {
  return cluster.nodes.flatMap((view) =>
    view.pods.flatMap((other) =>
      requiredAway(other).flatMap((term) => {
        const domain = domainOf(view, term.topologyKey)
        return domain !== undefined && isMeant(term, other, pod, cluster) ? [{ key: term.topologyKey, domain }] : []
      }),
    ),
  )
}

function preferenceOf(pod: Stored<Pod>, cluster: ClusterView): (view: NodeView) => number {
  const { podAffinity, podAntiAffinity } = pod.spec.affinity ?? {}
  const terms = [
    ...(podAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map((term) => ({ ...term, sign: 1 })),
    ...(podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map((term) => ({ ...term, sign: -1 })),
  ].map(({ podAffinityTerm, weight, sign }) => ({
    key: podAffinityTerm.topologyKey,
    weight: weight * sign,
    domains: domainsWith(podAffinityTerm, pod, cluster),
  }))
  return (view) =>
    terms.reduce((sum, { key, weight, domains }) => sum + weight * (domains.get(domainOf(view, key) ?? '') ?? 0), 0)
}
