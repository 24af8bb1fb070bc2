// PodDisruptionBudgets: how many pods of a kind may be missing by somebody's will.

import type { Kind } from '#apiserver/kind.ts'
import { age, ageColumn, integer, nameColumn, nameOf, text } from '#apiserver/kinds/cells.ts'
import { type PodDisruptionBudget, podDisruptionBudgets } from '#api/policy.ts'
import { validateDisruptionBudget, validateDisruptionBudgetStatus } from '#api/policy/disruption-budget.ts'

export const podDisruptionBudgetKind: Kind<PodDisruptionBudget> = {
  resource: podDisruptionBudgets,
  type: 'policy.PodDisruptionBudget',
  singular: 'poddisruptionbudget',
  shortNames: ['pdb'],
  columns: [nameColumn, text('Min Available'), text('Max Unavailable'), integer('Allowed Disruptions'), ageColumn],
  row: (budget, nowMs) => [
    nameOf(budget),
    String(budget.spec?.minAvailable ?? 'N/A'),
    String(budget.spec?.maxUnavailable ?? 'N/A'),
    budget.status?.disruptionsAllowed ?? 0,
    age(budget, nowMs),
  ],
  prepareCreate: (budget) => ({ ...budget, status: none }),
  prepareUpdate: (budget, old) => ({ ...budget, status: old.status ?? none }),
  validate: validateDisruptionBudget,
  generation: 'spec',
  unconditionalUpdate: false,
  status: { validate: validateDisruptionBudgetStatus },
}

const none = { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 }
