// Lists of status conditions, with Kubernetes' rule of which change counts.

type ConditionLike = {
  readonly type: string
  readonly status: string
  readonly reason?: string
  readonly lastTransitionTime?: string
}

/**
 * `conditions` with `condition` in it. One of the same type, status and reason stays as it is, message and times
 * included; where only the status stays, so does the time of the last transition.
 */
export function withCondition<C extends ConditionLike>(conditions: readonly C[], condition: C): readonly C[] {
  const current = conditions.find(({ type }) => type === condition.type)
  if (current?.status === condition.status && current.reason === condition.reason) return conditions
  const next =
    current?.status === condition.status && current.lastTransitionTime !== undefined
      ? { ...condition, lastTransitionTime: current.lastTransitionTime }
      : condition
  return [...withoutCondition(conditions, condition.type), next]
}

export function withoutCondition<C extends ConditionLike>(conditions: readonly C[], type: string): readonly C[] {
  return conditions.some((condition) => condition.type === type)
    ? conditions.filter((condition) => condition.type !== type)
    : conditions
}
