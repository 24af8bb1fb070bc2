// Cluster roles that are made of others by their labels: what their rules should be (pkg/controller/clusterroleaggregation).

import type { ClusterRole, PolicyRule } from '#api/rbac.ts'
import { matchLabelSelector } from '#api/selector.ts'
import { equalJson } from '#lib/equal.ts'

/** Names of the roles whose rules are not those of the roles that they select -> what they should be. */
export function planAggregation(roles: readonly ClusterRole[]): ReadonlyMap<string, readonly PolicyRule[]> {
  const sorted = roles.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
  const plan = new Map<string, readonly PolicyRule[]>()
  for (const role of sorted) {
    if (role.aggregationRule === undefined) continue
    const rules = rulesFor(role, sorted)
    if (!equalJson(rules, role.rules ?? [])) plan.set(nameOf(role), rules)
  }
  return plan
}

function rulesFor(role: ClusterRole, sorted: readonly ClusterRole[]): PolicyRule[] {
  const rules = new Map<string, PolicyRule>()
  for (const selector of role.aggregationRule?.clusterRoleSelectors ?? [])
    for (const other of sorted) {
      if (nameOf(other) === nameOf(role)) continue
      if (!matchLabelSelector(selector, other.metadata?.labels ?? {})) continue
      for (const rule of other.rules ?? []) rules.set(JSON.stringify(rule), rule)
    }
  return [...rules.values()]
}

const nameOf = ({ metadata }: ClusterRole) => metadata?.name ?? ''
