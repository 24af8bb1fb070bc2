import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { applyMergePatch } from '#api/patch/merge-patch.ts'
import type { JsonObject, Patched } from '#api/patch/patched.ts'
import { failureOf, planExpansion, statusOf } from '#storage/expansion.ts'
import type { Claim, Volume } from '#storage/plan.ts'
import { claim, volume } from '#test/stored-volumes.ts'

const now = '2026-01-01T00:00:00Z'
const bound = (storage: string, status: object = {}): Claim =>
  claim(
    { volumeName: 'v', resources: { requests: { storage } } },
    { phase: 'Bound', capacity: { storage: '10Gi' }, ...status },
  )
const resultOf = (answer: Patched): JsonObject =>
  answer.kind === 'ok' ? answer.value : assert.fail(answer.status.message)
const patched = (one: Claim, status: object): Claim =>
  ({ ...one, status: resultOf(applyMergePatch(one.status as JsonObject, status as JsonObject)) }) as unknown as Claim
const said = ({ status }: Claim) => (status?.conditions ?? []).map(({ type }) => type)

test('a claim that asks for more: its conditions and sizes on the way', () => {
  let one = bound('20Gi')
  let made: Volume = volume('v', '10Gi')
  const seen: unknown[] = []
  for (let step = planExpansion(one, made); step !== 'nothing'; step = planExpansion(one, made)) {
    if (step === 'grow volume') made = volume('v', '20Gi')
    else one = patched(one, statusOf(one, made, step, now))
    const { allocatedResources, allocatedResourceStatuses, capacity } = one.status ?? {}
    seen.push([step, said(one), allocatedResources, allocatedResourceStatuses, capacity])
  }
  const ten = { storage: '10Gi' }
  const twenty = { storage: '20Gi' }
  const growing = { storage: 'ControllerResizeInProgress' }
  assert.deepEqual(seen, [
    ['announce', ['Resizing'], twenty, growing, ten],
    ['grow volume', ['Resizing'], twenty, growing, ten],
    ['announce file system', ['FileSystemResizePending'], twenty, { storage: 'NodeResizePending' }, ten],
    ['grow file system', [], twenty, undefined, twenty],
  ])
})

test('who asks for less again before the volume has grown gets nothing, and nothing is left', () => {
  const begun = patched(bound('20Gi'), statusOf(bound('20Gi'), volume('v'), 'announce', now))
  const back = { ...begun, spec: bound('10Gi').spec }
  assert.equal(planExpansion(back, volume('v')), 'settle')
  const settled = patched(back, statusOf(back, volume('v'), 'settle', now))
  assert.deepEqual(settled.status, { phase: 'Bound', capacity: { storage: '10Gi' } })
  assert.equal(planExpansion(settled, volume('v')), 'nothing')
})

test('who asks for less again after that has what the volume has', () => {
  const one = bound('15Gi', { conditions: [{ type: 'FileSystemResizePending', status: 'True' }] })
  assert.equal(planExpansion(one, volume('v', '20Gi')), 'grow file system')
  const status = statusOf(one, volume('v', '20Gi'), 'grow file system', now) as { capacity: object }
  assert.deepEqual(status.capacity, { storage: '20Gi' })
})

test("a step that fails says why, once; others' conditions stay", () => {
  const one = bound('20Gi', { conditions: [{ type: 'Unused', status: 'True' }] })
  const failed = patched(one, failureOf(one, 'NodeResizeError', 'no power', now)!)
  assert.deepEqual(said(failed), ['Unused', 'NodeResizeError'])
  assert.equal(failureOf(failed, 'NodeResizeError', 'no power', now), undefined)
  assert.notEqual(failureOf(failed, 'NodeResizeError', 'no room', now), undefined)
  assert.deepEqual(said(patched(failed, statusOf(failed, volume('v', '20Gi'), 'grow file system', now))), ['Unused'])
})

test('a claim that is not bound has nothing to grow', () => {
  assert.equal(planExpansion(claim({ resources: { requests: { storage: '20Gi' } } }), volume('v')), 'nothing')
})
