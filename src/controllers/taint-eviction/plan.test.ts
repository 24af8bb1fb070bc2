import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Taint, Toleration } from '#api/core.ts'
import { tolerates } from '#api/taint.ts'
import { planEviction, toleratedMs } from '#controllers/taint-eviction/plan.ts'
import { at, epochMs, node, pod } from '#test/stored-objects.ts'

const lost: Taint = { key: 'node.kubernetes.io/unreachable', effect: 'NoExecute' }
const away = node('node-1', { spec: { taints: [lost] } })
const withTolerations = (...tolerations: Toleration[]) => pod('a', { spec: { nodeName: 'node-1', tolerations } })
const exists = (tolerationSeconds?: number): Toleration => ({
  key: lost.key,
  operator: 'Exists',
  effect: 'NoExecute',
  ...(tolerationSeconds === undefined ? {} : { tolerationSeconds }),
})

test('which toleration covers which taint', () => {
  const taint: Taint = { key: 'k', value: 'v', effect: 'NoSchedule' }
  const cases: readonly (readonly [Toleration, boolean])[] = [
    [{ key: 'k', operator: 'Equal', value: 'v', effect: 'NoSchedule' }, true],
    [{ key: 'k', value: 'v' }, true],
    [{ key: 'k', value: 'other' }, false],
    [{ key: 'k' }, false],
    [{ key: 'k', operator: 'Exists' }, true],
    [{ key: 'k', operator: 'Exists', effect: 'NoExecute' }, false],
    [{ operator: 'Exists' }, true],
    [{ operator: 'Exists', effect: 'NoSchedule' }, true],
    [{ key: 'other', operator: 'Exists' }, false],
    [{ value: 'v' }, false],
  ]
  for (const [toleration, want] of cases) assert.equal(tolerates(toleration, taint), want, JSON.stringify(toleration))
})

test('for how long', () => {
  const second: Taint = { key: 'x', effect: 'NoExecute' }
  const cases: readonly (readonly [string, readonly Toleration[], readonly Taint[], number])[] = [
    ['no taint', [], [], Infinity],
    ['only NoSchedule', [], [{ key: 'x', effect: 'NoSchedule' }], Infinity],
    ['not at all', [], [lost], 0],
    ['for ever', [exists()], [lost], Infinity],
    ['five minutes', [exists(300)], [lost], 300_000],
    ['less than nothing', [exists(-1)], [lost], 0],
    [
      'the shorter of two',
      [exists(300), { key: 'x', operator: 'Exists', tolerationSeconds: 10 }],
      [lost, second],
      10_000,
    ],
    ['one of two', [exists(300)], [lost, second], 0],
  ]
  for (const [name, tolerations, taints, want] of cases)
    assert.equal(toleratedMs(withTolerations(...tolerations), node('n', { spec: { taints } })), want, name)
})

test('waits, then evicts', () => {
  const patient = withTolerations(exists(300))
  const first = planEviction(patient, away, undefined, epochMs)
  assert.deepEqual(first, { kind: 'wait', sinceMs: epochMs, forMs: 300_000 })
  assert.deepEqual(planEviction(patient, away, epochMs, epochMs + 100_000), {
    kind: 'wait',
    sinceMs: epochMs,
    forMs: 200_000,
  })
  const last = planEviction(patient, away, epochMs, epochMs + 300_000)
  assert.deepEqual(last.kind === 'evict' && last.acts.map((act) => (act.kind === 'event' ? act.message : act.kind)), [
    'Marking for deletion Pod default/a',
    'patch',
    'delete',
  ])
  const [, patch] = last.kind === 'evict' ? last.acts : []
  assert.deepEqual(patch?.kind === 'patch' && patch.patch, {
    status: {
      conditions: [
        {
          type: 'DisruptionTarget',
          status: 'True',
          reason: 'DeletionByTaintManager',
          message: 'Taint manager: deleting due to NoExecute taint',
          lastTransitionTime: at(300),
        },
      ],
    },
  })
})

test('stays', () => {
  assert.equal(planEviction(withTolerations(exists()), away, undefined, epochMs).kind, 'stay')
  assert.equal(planEviction(withTolerations(), node('node-1'), undefined, epochMs).kind, 'stay')
  assert.equal(planEviction(withTolerations(), undefined, undefined, epochMs).kind, 'stay')
  const leaving = pod('a', { metadata: { deletionTimestamp: at(0) } })
  assert.equal(planEviction(leaving, away, undefined, epochMs).kind, 'stay')
})
