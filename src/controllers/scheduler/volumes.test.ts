// After pkg/scheduler/framework/plugins/volumebinding/volume_binding_test.go and binder_test.go (Kubernetes 1.36).
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import type { StorageClass } from '#api/storage.ts'
import { planReservation } from '#controllers/scheduler/reservations.ts'
import { viewOf } from '#controllers/scheduler/view.ts'
import { volumeNeeds, type VolumeView } from '#controllers/scheduler/volumes.ts'
import type { Claim, Volume } from '#controllers/volume-binder/match.ts'
import { at, node, pod } from '#test/stored-objects.ts'
import { claim, volume } from '#test/stored-volumes.ts'

const host = (name: string) => viewOf(node(name, { metadata: { labels: { 'kubernetes.io/hostname': name } } }), [])
const [a, b] = [host('a'), host('b')]
const onNode = (name: string) => ({
  nodeAffinity: {
    required: {
      nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [name] }] }],
    },
  },
})
const using = (...claims: readonly string[]) =>
  pod('p', {
    spec: { volumes: claims.map((claimName) => ({ name: claimName, persistentVolumeClaim: { claimName } })) },
  })
const named = (name: string, spec: object = {}): Claim =>
  ({
    ...claim({ storageClassName: 'local', ...spec }),
    metadata: { ...claim().metadata, name, uid: `uid-${name}` },
  }) as Claim
const bound = (volumeName: string, phase = 'Bound') =>
  claim({ volumeName }, { phase }, { annotations: { 'pv.kubernetes.io/bind-completed': 'yes' } })
const local = (name: string, size: string, on: string) =>
  volume(name, size, { storageClassName: 'local', ...onNode(on) })

const delayed = (more: object = {}): StorageClass => ({
  metadata: { name: 'local' },
  provisioner: 'kubernetes.io/no-provisioner',
  volumeBindingMode: 'WaitForFirstConsumer',
  ...more,
})
function world(
  claims: readonly Claim[],
  volumes: readonly Volume[] = [],
  classes: readonly StorageClass[] = [delayed()],
): VolumeView {
  return {
    claim: (key) => claims.find(({ metadata }) => `default/${metadata.name}` === key),
    volume: (name) => volumes.find(({ metadata }) => metadata.name === name),
    volumes: () => volumes,
    storageClass: (name) => classes.find(({ metadata }) => metadata?.name === name),
    promised: new Set(),
  }
}

const scratch = pod('p', { spec: { volumes: [{ name: 'scratch', ephemeral: { volumeClaimTemplate: { spec: {} } } }] } })
const refusals = [
  [
    'the claim of an ephemeral volume is not there yet',
    scratch,
    world([]),
    'waiting for ephemeral volume controller to create the persistentvolumeclaim "p-scratch"',
  ],
  [
    "a claim of the ephemeral volume's name that is somebody else's",
    scratch,
    world([named('p-scratch')]),
    'PVC default/p-scratch was not created for pod default/p (pod is not owner)',
  ],
  ['no such claim', using('claim'), world([]), 'persistentvolumeclaim "claim" not found'],
  [
    'a claim that goes',
    using('claim'),
    world([claim({}, {}, { deletionTimestamp: at(0) })]),
    'persistentvolumeclaim "claim" is being deleted',
  ],
  [
    'a claim that has lost its volume',
    using('claim'),
    world([bound('v', 'Lost')]),
    'persistentvolumeclaim "claim" bound to non-existent persistentvolume "v"',
  ],
  [
    'a claim that binds at once, and is not bound',
    using('claim'),
    world([claim()]),
    'pod has unbound immediate PersistentVolumeClaims',
  ],
  ['a delayed claim', using('claim'), world([named('claim')]), undefined],
  ['no claims at all', using(), world([]), undefined],
] as const
for (const [name, one, view, want] of refusals)
  test(`no node at all: ${name}`, () => assert.equal(volumeNeeds(one, view).refusal, want))

const unavailable = "node(s) didn't find available persistent volumes to bind"
const objections = [
  ['a bound volume that any node can use', [bound('v')], [volume('v')], [undefined, undefined]],
  [
    'a bound volume of one node',
    [bound('v')],
    [local('v', '10Gi', 'a')],
    [undefined, "node(s) didn't match PersistentVolume's node affinity"],
  ],
  [
    'a bound volume that is gone',
    [bound('v')],
    [],
    Array(2).fill('node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)'),
  ],
  ['a free volume on one node', [named('claim')], [local('v', '10Gi', 'b')], [unavailable, undefined]],
  ['none is large enough', [named('claim')], [local('v', '1Gi', 'b')], [unavailable, unavailable]],
] as const
for (const [name, claims, volumes, want] of objections)
  test(`this node will not do: ${name}`, () => {
    const needs = volumeNeeds(using('claim'), world(claims, volumes))
    assert.deepEqual([needs.objection(a), needs.objection(b)], want)
  })

test('two claims of a pod get two volumes, and both must be on the node', () => {
  const claims = [named('one'), named('two')]
  const only = volumeNeeds(using('one', 'two'), world(claims, [local('v', '10Gi', 'a')]))
  assert.equal(only.objection(a), unavailable)
  const both = volumeNeeds(using('one', 'two'), world(claims, [local('v', '10Gi', 'a'), local('w', '20Gi', 'a')]))
  assert.deepEqual(
    both.reserve(a)?.bind.map(({ claim, volume }) => [claim.metadata.name, volume.metadata.name]),
    [
      ['one', 'v'],
      ['two', 'w'],
    ],
  )
})

test('what is promised to one pod is not promised to another', () => {
  const view = { ...world([named('claim')], [local('v', '10Gi', 'a')]), promised: new Set(['v']) }
  assert.equal(volumeNeeds(using('claim'), view).objection(a), unavailable)
})

test('a class with a provisioner: on any node, or where the class allows it', () => {
  const anywhere = volumeNeeds(using('claim'), world([named('claim')], [], [delayed({ provisioner: 'example.com/p' })]))
  assert.deepEqual([anywhere.objection(a), anywhere.objection(b)], [undefined, undefined])
  const allowedTopologies = [{ matchLabelExpressions: [{ key: 'kubernetes.io/hostname', values: ['b'] }] }]
  const onB = volumeNeeds(
    using('claim'),
    world([named('claim')], [], [delayed({ provisioner: 'example.com/p', allowedTopologies })]),
  )
  assert.deepEqual([onB.objection(a), onB.objection(b)], [unavailable, undefined])
})

test('what is written for a pod: the volume is reserved, the provisioner is told the node', () => {
  const [one, two] = [named('one'), named('two')]
  const acts = planReservation({ bind: [{ claim: one, volume: volume('v') }], provision: [two] }, 'a')
  assert.deepEqual(
    acts.map((act) => act.kind === 'patch' && [act.target.name, act.patch]),
    [
      [
        'v',
        {
          metadata: { annotations: { 'pv.kubernetes.io/bound-by-controller': 'yes' } },
          spec: {
            claimRef: {
              apiVersion: 'v1',
              kind: 'PersistentVolumeClaim',
              name: 'one',
              namespace: 'default',
              uid: 'uid-one',
              resourceVersion: '1',
            },
          },
        },
      ],
      ['two', { metadata: { annotations: { 'volume.kubernetes.io/selected-node': 'a' } } }],
    ],
  )
})
