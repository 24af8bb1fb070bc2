// Which nodes a pod asks for by their labels.

import type { NodeSelectorTerm, Pod } from '#api/core.ts'
import { type Requirement, matchLabels } from '#api/selector.ts'
import type { NodeView } from '#controllers/scheduler/view.ts'

const operators: Readonly<Record<string, Requirement['operator']>> = {
  In: 'in',
  NotIn: 'notin',
  Exists: 'exists',
  DoesNotExist: '!',
  Gt: 'gt',
  Lt: 'lt',
}

type Expression = NonNullable<NodeSelectorTerm['matchExpressions']>[number]

function requirementOf({ key, operator, values = [] }: Expression): Requirement {
  return { key, operator: operators[operator] ?? 'never', values }
}

/** All expressions of a term hold; an empty term holds for no node. */
export function matchesTerm({ matchExpressions = [], matchFields = [] }: NodeSelectorTerm, view: NodeView): boolean {
  if (matchExpressions.length + matchFields.length === 0) return false
  return (
    matchLabels(matchExpressions.map(requirementOf), view.labels) &&
    matchLabels(matchFields.map(requirementOf), { 'metadata.name': view.node.metadata.name })
  )
}

/** The pod's nodeSelector, and one of the terms that it requires. */
export function matchesNode({ spec }: Pod, view: NodeView): boolean {
  const selected = Object.entries(spec?.nodeSelector ?? {}).every(([key, value]) => view.labels[key] === value)
  const terms = spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms
  return selected && (terms === undefined || terms.some((term) => matchesTerm(term, view)))
}

/** The weights of the preferences that a node meets. */
export function nodePreference({ spec }: Pod, view: NodeView): number {
  const preferences = spec?.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []
  return preferences
    .filter(({ preference }) => matchesTerm(preference, view))
    .reduce((sum, { weight }) => sum + weight, 0)
}
