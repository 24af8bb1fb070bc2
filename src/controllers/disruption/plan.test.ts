// Budgets and pods, and what may go then (pkg/controller/disruption/disruption_test.go).
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PodDisruptionBudget } from '#api/policy.ts'
import { stored } from '#api/stored.ts'
import { type BudgetState, planDisruption } from '#controllers/disruption/plan.ts'
import { at, epochMs, runningPod } from '#test/stored-objects.ts'

const ready = (name: string) => runningPod(name, 'n', '10.0.0.1', { readySince: 0 })
const pods = (count: number) => Array.from({ length: count }, (_, index) => ready(`p${index}`))
const unready = { ...ready('u'), status: { phase: 'Running' as const } }
const leaving = { ...ready('l'), metadata: { ...ready('l').metadata, deletionTimestamp: at(0) } }

type Spec = NonNullable<PodDisruptionBudget['spec']>
const budget = (spec: Spec, status?: PodDisruptionBudget['status']) =>
  stored<PodDisruptionBudget>({
    metadata: { name: 'b', namespace: 'default', uid: 'u', generation: 2 },
    spec,
    ...(status ? { status } : {}),
  })

function told(state: Omit<BudgetState, 'scaleOf' | 'nowMs'>, replicas: number | undefined = 10) {
  const scaleOf = () => (replicas < 0 ? undefined : { uid: 'owner', replicas })
  const { acts, againAfterMs } = planDisruption({ ...state, scaleOf, nowMs: epochMs })
  const written = acts.find((act) => act.kind === 'patch')?.patch as { status: PodDisruptionBudget['status'] }
  const { expectedPods, currentHealthy, desiredHealthy, disruptionsAllowed, conditions } = written.status ?? {}
  const events = acts.flatMap((act) => (act.kind === 'event' ? [act.reason] : []))
  const counts = [expectedPods, currentHealthy, desiredHealthy, disruptionsAllowed].map((count) => count ?? 0)
  const [condition] = conditions ?? []
  return { text: [...counts, condition?.reason, ...events].join(' '), againAfterMs, written }
}

type Row = readonly [string, Spec, BudgetState['pods'], string, number?]
const table: readonly Row[] = [
  ['no pods', { minAvailable: 1 }, [], '0 0 1 0 InsufficientPods NoPods'],
  ['one of one', { minAvailable: 1 }, pods(1), '1 1 1 0 InsufficientPods'],
  ['one more than needed', { minAvailable: 1 }, pods(2), '2 2 1 1 SufficientPods'],
  ['one is not ready', { minAvailable: 1 }, [...pods(1), unready], '2 1 1 0 InsufficientPods'],
  ['one is leaving', { minAvailable: 1 }, [...pods(1), leaving], '2 1 1 0 InsufficientPods'],
  ['a part of what is wanted', { minAvailable: '28%' }, pods(10), '10 10 3 7 SufficientPods'],
  ['a part of more than there is', { minAvailable: '50%' }, pods(3), '10 3 5 0 InsufficientPods'],
  ['so many may be missing', { maxUnavailable: 1 }, pods(10), '10 10 9 1 SufficientPods'],
  ['and are', { maxUnavailable: 1 }, pods(9), '10 9 9 0 InsufficientPods'],
  ['a part may be missing', { maxUnavailable: '25%' }, pods(10), '10 10 7 3 SufficientPods'],
  ['all may be missing', { maxUnavailable: '100%' }, pods(2), '10 2 0 2 SufficientPods'],
  ['neither is said', {}, pods(2), '2 2 0 2 SufficientPods'],
  ['nobody knows', { maxUnavailable: 1 }, pods(2), '0 0 0 0 SyncFailed CalculateExpectedPodCountFailed', -1],
  ['a number needs no owner', { minAvailable: 1 }, pods(2), '2 2 1 1 SufficientPods', -1],
]
for (const [name, spec, its, wanted, replicas] of table)
  test(`disruption: ${name}`, () => assert.equal(told({ budget: budget(spec), pods: its }, replicas).text, wanted))

test('disruption: an evicted pod does not count until it has gone, or two minutes have', () => {
  const status = (ago: number) => ({
    disruptionsAllowed: 1,
    currentHealthy: 3,
    desiredHealthy: 1,
    expectedPods: 3,
    disruptedPods: { p0: at(-ago), gone: at(-1) },
  })
  const soon = told({ budget: budget({ minAvailable: 1 }, status(20)), pods: pods(3) })
  assert.equal(soon.againAfterMs, 100_000)
  assert.equal(soon.written.status?.currentHealthy, 2)
  assert.deepEqual(soon.written.status?.disruptedPods, { gone: null })
  const late = told({ budget: budget({ minAvailable: 1 }, status(121)), pods: pods(3) })
  assert.ok(late.text.endsWith('NotDeleted'), late.text)
  assert.equal(late.againAfterMs, undefined)
})
