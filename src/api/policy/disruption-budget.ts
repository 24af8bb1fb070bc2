// PodDisruptionBudgets: what they may say (Kubernetes' pkg/apis/policy), and what each wish of a pod's end is told.

import { checkNotNegative, checkWord } from '#api/check-field.ts'
import { type FieldError, invalid } from '#api/field-error.ts'
import { checkLabelSelector } from '#api/labels.ts'
import type { PodDisruptionBudget } from '#api/policy.ts'
import { checkAtMostAll, checkCountOrPercent } from '#api/workload/count.ts'

export function validateDisruptionBudget({ spec = {} }: PodDisruptionBudget): FieldError[] {
  const { minAvailable, maxUnavailable, selector, unhealthyPodEvictionPolicy } = spec
  const errors: FieldError[] = []
  if (minAvailable !== undefined && maxUnavailable !== undefined)
    errors.push(invalid('spec', spec, 'minAvailable and maxUnavailable cannot be both set'))
  for (const [name, value] of Object.entries({ minAvailable, maxUnavailable })) {
    const path = `spec.${name}`
    if (value !== undefined) errors.push(...checkCountOrPercent(path, value), ...checkAtMostAll(path, value))
  }
  errors.push(...checkLabelSelector(selector, 'spec.selector'))
  const policies = ['AlwaysAllow', 'IfHealthyBudget']
  if (unhealthyPodEvictionPolicy !== undefined)
    errors.push(...checkWord('spec.unhealthyPodEvictionPolicy', unhealthyPodEvictionPolicy, policies))
  return errors
}

export function validateDisruptionBudgetStatus({ status = {} }: PodDisruptionBudget): FieldError[] {
  const counts = ['disruptionsAllowed', 'currentHealthy', 'desiredHealthy', 'expectedPods'] as const
  return counts.flatMap((name) => checkNotNegative(`status.${name}`, status[name]))
}
