// How many pods of a budget may be ended by somebody's will right now, in the words of Kubernetes' disruption controller.

import type { Pod } from '#api/core.ts'
import { scaledCount } from '#api/int-or-percent.ts'
import { isPodReady } from '#api/pod-state.ts'
import { type PodDisruptionBudget, type PodDisruptionBudgetStatus, podDisruptionBudgets } from '#api/policy.ts'
import type { Stored } from '#api/stored.ts'
import { formatTime } from '#api/time.ts'
import { type Act, eventAbout, type Plan, writeStatus } from '#client/control/act.ts'

export type BudgetState = {
  readonly budget: Stored<PodDisruptionBudget>
  /** those that its selector selects */
  readonly pods: readonly Stored<Pod>[]
  /** how many pods whoever controls this one wants, and who that is; undefined where nobody knows */
  scaleOf(pod: Stored<Pod>): { readonly uid: string; readonly replicas: number } | undefined | 'unmanaged'
  readonly nowMs: number
}

/** An evicted pod that is still there after this was not ended. */
const confirmMs = 120_000
const type = 'DisruptionAllowed'

export function planDisruption(state: BudgetState): Plan {
  const { budget, pods, nowMs } = state
  const acts: Act[] = []
  const say = (kind: 'Normal' | 'Warning', reason: string, message: string) =>
    acts.push(eventAbout(podDisruptionBudgets, budget, kind, reason, message))
  if (pods.length === 0) say('Normal', 'NoPods', 'No matching pods found')
  const wanted = wantedOf(state)
  if (typeof wanted === 'string') {
    say('Warning', 'CalculateExpectedPodCountFailed', `Failed to calculate the number of expected pods: ${wanted}`)
    return { acts: [...acts, ...failSafe(state, wanted)] }
  }
  const { disruptedPods, lost, nextMs } = stillAwaited(state)
  for (const name of lost) {
    const pod = pods.find(({ metadata }) => metadata.name === name)
    if (pod !== undefined)
      say(
        'Warning',
        'NotDeleted',
        `Pod was expected by PDB ${budget.metadata.namespace}/${budget.metadata.name} to be deleted but it wasn't`,
      )
  }
  const healthy = pods.filter(
    (pod) => pod.metadata.deletionTimestamp === undefined && !(pod.metadata.name in disruptedPods) && isPodReady(pod),
  ).length
  const allowed = wanted.expected > 0 ? Math.max(0, healthy - wanted.desired) : 0
  const condition =
    allowed > 0 ? (['True', 'SufficientPods', ''] as const) : (['False', 'InsufficientPods', ''] as const)
  const status: PodDisruptionBudgetStatus = {
    ...(Object.keys(disruptedPods).length > 0 ? { disruptedPods } : {}),
    observedGeneration: budget.metadata.generation ?? 0,
    disruptionsAllowed: allowed,
    currentHealthy: healthy,
    desiredHealthy: wanted.desired,
    expectedPods: wanted.expected,
    conditions: conditionsOf(budget, condition, nowMs),
  }
  acts.push(...writeStatus(podDisruptionBudgets, budget, status))
  return { acts, ...(nextMs === undefined ? {} : { againAfterMs: nextMs - nowMs }) }
}

/** Answers why it cannot be told. */
function wantedOf({ budget, pods, scaleOf }: BudgetState): { expected: number; desired: number } | string {
  const { minAvailable, maxUnavailable } = budget.spec
  if (typeof minAvailable === 'number') return { expected: pods.length, desired: minAvailable }
  if (minAvailable === undefined && maxUnavailable === undefined) return { expected: pods.length, desired: 0 }
  const scales = new Map<string, number>()
  for (const pod of pods) {
    const scale = scaleOf(pod)
    if (scale === undefined) return `found no controllers for pod "${pod.metadata.name}"`
    if (scale !== 'unmanaged') scales.set(scale.uid, scale.replicas)
  }
  const expected = [...scales.values()].reduce((sum, replicas) => sum + replicas, 0)
  const value = minAvailable ?? maxUnavailable ?? 0
  const count = scaledCount(value, expected, 'up')
  if (count === undefined) return 'invalid value for IntOrString: invalid type: string is not a percentage'
  return { expected, desired: minAvailable === undefined ? Math.max(0, expected - count) : count }
}

/** The evicted pods that are yet to go. */
function stillAwaited({ budget, pods, nowMs }: BudgetState) {
  const disruptedPods: Record<string, string> = {}
  const lost: string[] = []
  let nextMs: number | undefined
  for (const [name, time] of Object.entries(budget.status?.disruptedPods ?? {})) {
    const pod = pods.find(({ metadata }) => metadata.name === name)
    if (pod === undefined || pod.metadata.deletionTimestamp !== undefined) continue
    const endMs = Date.parse(time) + confirmMs
    if (endMs < nowMs) {
      lost.push(name)
      continue
    }
    disruptedPods[name] = time
    nextMs = Math.min(nextMs ?? endMs, endMs)
  }
  return { disruptedPods, lost, nextMs }
}

/** Nothing may go while nobody knows how many there should be. */
function failSafe({ budget, nowMs }: BudgetState, why: string): readonly Act[] {
  const { status = {} } = budget
  return writeStatus(podDisruptionBudgets, budget, {
    ...status,
    disruptionsAllowed: 0,
    currentHealthy: status.currentHealthy ?? 0,
    desiredHealthy: status.desiredHealthy ?? 0,
    expectedPods: status.expectedPods ?? 0,
    observedGeneration: budget.metadata.generation ?? 0,
    conditions: conditionsOf(budget, ['False', 'SyncFailed', why], nowMs),
  })
}

function conditionsOf(
  { status, metadata }: BudgetState['budget'],
  [is, reason, message]: readonly ['True' | 'False', string, string],
  nowMs: number,
) {
  const before = status?.conditions?.find((condition) => condition.type === type)
  const others = (status?.conditions ?? []).filter((condition) => condition.type !== type)
  const lastTransitionTime = before?.status === is ? before.lastTransitionTime : formatTime(nowMs)
  const observedGeneration = metadata.generation ?? 0
  return [...others, { type, status: is, reason, message, observedGeneration, lastTransitionTime }]
}
