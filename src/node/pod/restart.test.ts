import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { backoffAfter, backoffAnnotation, backoffOfNext, restartsAfter, shouldStart } from '#node/pod/restart.ts'
import type { ContainerStatus } from '#node/runtime.ts'

const pod = (restartPolicy: string, deleted = false) => ({
  metadata: deleted ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {},
  spec: { containers: [], restartPolicy },
})

for (const [policy, exitCode, own, want] of [
  ['Always', 0, {}, true],
  ['Always', 1, {}, true],
  ['OnFailure', 0, {}, false],
  ['OnFailure', 1, {}, true],
  ['Never', 1, {}, false],
  ['Never', 0, { restartPolicy: 'Always' }, true],
  ['Always', 1, { restartPolicy: 'Never' }, false],
  ['Never', 42, { restartPolicyRules: [{ action: 'Restart', exitCodes: { operator: 'In', values: [42] } }] }, true],
  ['Never', 1, { restartPolicyRules: [{ action: 'Restart', exitCodes: { operator: 'In', values: [42] } }] }, false],
  ['Never', 1, { restartPolicyRules: [{ action: 'Restart', exitCodes: { operator: 'NotIn', values: [42] } }] }, true],
] as const)
  test(`restart: ${policy} after ${exitCode} with ${JSON.stringify(own)}`, () =>
    assert.equal(restartsAfter({ name: 'c', ...own }, pod(policy), exitCode), want))

const instance = (part: Partial<ContainerStatus>): ContainerStatus => ({
  id: 'x',
  sandboxId: 's',
  metadata: { name: 'c', attempt: 0 },
  state: 'exited',
  createdAt: 0,
  finishedAt: 1000,
  image: '',
  imageRef: '',
  logPath: '',
  mounts: [],
  tty: false,
  stdin: false,
  labels: {},
  annotations: {},
  ...part,
})

test('restart: by state', () => {
  const container = { name: 'c' }
  assert.equal(shouldStart(container, pod('Always'), undefined), true)
  assert.equal(shouldStart(container, pod('Always', true), undefined), false)
  assert.equal(shouldStart(container, pod('Always'), instance({ state: 'running' })), false)
  assert.equal(shouldStart(container, pod('Never'), instance({ state: 'unknown' })), true)
  assert.equal(shouldStart(container, pod('Never'), instance({ exitCode: 0 })), false)
})

test('back-off: 0, 10 s, doubling to 300 s, forgotten after ten minutes of life', () => {
  let newest = instance({ annotations: { [backoffAnnotation]: String(backoffOfNext(undefined, 's')) } })
  const waits = [backoffAfter(newest, 's')]
  for (let restart = 0; restart < 8; restart++) {
    newest = instance({ annotations: { [backoffAnnotation]: String(backoffOfNext(newest, 's')) } })
    waits.push(backoffAfter(newest, 's'))
  }
  assert.deepEqual(waits, [0, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000, 300_000])
  const old = { ...newest, finishedAt: 600_001 }
  assert.equal(backoffAfter(old, 's'), 0)
  assert.equal(backoffOfNext(old, 's'), 10_000)
})

test('back-off: none in a new sandbox or after an end that nobody saw, and it begins anew then', () => {
  const crashed = instance({ annotations: { [backoffAnnotation]: '40000' } })
  assert.deepEqual([backoffAfter(crashed, 's'), backoffOfNext(crashed, 's')], [40_000, 80_000])
  assert.deepEqual([backoffAfter(crashed, 'new'), backoffOfNext(crashed, 'new')], [0, 0])
  const unseen = { ...crashed, exitCode: 255, reason: 'Unknown' }
  assert.deepEqual([backoffAfter(unseen, 's'), backoffOfNext(unseen, 's')], [0, 0])
})
