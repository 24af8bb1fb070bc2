// After pkg/controller/volume/ephemeral/controller_test.go (Kubernetes 1.36).
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { planEphemeral } from '#controllers/ephemeral-volume/plan.ts'
import type { Claim } from '#controllers/volume-binder/match.ts'
import { at, pod } from '#test/stored-objects.ts'
import { claim } from '#test/stored-volumes.ts'

const spec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } }
const template = { metadata: { labels: { app: 'x' }, annotations: { note: 'y' } }, spec }
const volumes = [
  { name: 'plain', emptyDir: {} },
  { name: 'scratch', ephemeral: { volumeClaimTemplate: template } },
]
const owned = pod('p', { spec: { volumes } })
const owner = { apiVersion: 'v1', kind: 'Pod', name: 'p', uid: owned.metadata.uid, controller: true }
const own = claim({}, {}, { name: 'p-scratch', ownerReferences: [owner] })

test('a claim is made of the template, called after pod and volume, and owned by the pod', () => {
  const { acts, failure } = planEphemeral(owned, () => undefined)
  assert.equal(failure, undefined)
  assert.deepEqual(
    acts.map((act) => act.kind === 'create' && act.object),
    [
      {
        metadata: {
          name: 'p-scratch',
          namespace: 'default',
          ownerReferences: [{ ...owner, blockOwnerDeletion: true }],
          labels: { app: 'x' },
          annotations: { note: 'y' },
        },
        spec,
      },
    ],
  )
})

test('nothing where it is there, where the pod goes, and where there is no such volume', () => {
  const known = (name: string) => (name === 'p-scratch' ? own : undefined)
  assert.deepEqual(planEphemeral(owned, known).acts, [])
  const going = pod('p', { spec: { volumes }, metadata: { deletionTimestamp: at(0) } })
  assert.deepEqual(planEphemeral(going, () => undefined).acts, [])
  assert.deepEqual(planEphemeral(pod('p', { spec: { volumes: volumes.slice(0, 1) } }), () => undefined).acts, [])
})

for (const [whose, foreign] of [
  ["nobody's", claim({}, {}, { name: 'p-scratch' })],
  ["an older pod's", claim({}, {}, { name: 'p-scratch', ownerReferences: [{ ...owner, uid: 'older' }] })],
] as readonly (readonly [string, Claim])[])
  test(`a claim of the name that is ${whose} is left alone, and told`, () => {
    const why = 'ephemeral volume scratch: PVC default/p-scratch was not created for pod default/p (pod is not owner)'
    const { acts, failure } = planEphemeral(owned, () => foreign)
    assert.equal(failure, why)
    assert.deepEqual(
      acts.map((act) => act.kind === 'event' && [act.type, act.reason, act.message]),
      [['Warning', 'FailedBinding', why]],
    )
  })
