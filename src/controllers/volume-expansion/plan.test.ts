// After pkg/controller/volume/expand/expand_controller_test.go (Kubernetes 1.36).
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { planExpansion } from '#controllers/volume-expansion/plan.ts'
import { claim, volume } from '#test/stored-volumes.ts'

const asking = (storage: string) =>
  claim({ volumeName: 'v', resources: { requests: { storage } } }, { phase: 'Bound', capacity: { storage: '10Gi' } })
const its = volume('v', '10Gi', { claimRef: { uid: 'uid-claim' } })
const told = (...of: Parameters<typeof planExpansion>) =>
  planExpansion(...of).map((act) => act.kind === 'event' && `${act.type} ${act.reason}: ${act.message}`)

test('a claim that asks for more waits for somebody', () => {
  assert.deepEqual(told(asking('11Gi'), its), [
    'Normal ExternalExpanding: waiting for an external controller to expand this PVC',
  ])
})

test('nothing to say: enough already, no volume, another claim has it', () => {
  assert.deepEqual(told(asking('10Gi'), its), [])
  assert.deepEqual(told(asking('11Gi'), undefined), [])
  assert.deepEqual(told(asking('11Gi'), volume('v', '10Gi', { claimRef: { uid: 'other' } })), [])
})
