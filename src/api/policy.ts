// The policy group: budgets for disruptions, and evictions that ask them.

import { type Resource } from '#api/resource.ts'
import type { Typed } from '#api/schema/schema.ts'

export interface PodDisruptionBudget extends Typed<'policy', 'PodDisruptionBudget'> {}
export interface PodDisruptionBudgetStatus extends Typed<'policy', 'PodDisruptionBudgetStatus'> {}
export interface Eviction extends Typed<'policy', 'Eviction'> {}

export const podDisruptionBudgets: Resource<PodDisruptionBudget> = {
  group: 'policy',
  version: 'v1',
  plural: 'poddisruptionbudgets',
  kind: 'PodDisruptionBudget',
  namespaced: true,
}
