import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import type { StorageClass } from '#api/storage.ts'
import { type ClaimView, pickNode, planClaim, planVolume, planVolumeObject, type Volume } from '#storage/plan.ts'
import { at } from '#test/stored-objects.ts'
import { claim, volume } from '#test/stored-volumes.ts'

const cls = (more: object = {}): StorageClass => ({
  metadata: { name: 'standard' },
  provisioner: 'fairway/local',
  ...more,
})
const delayed = cls({ volumeBindingMode: 'WaitForFirstConsumer' })
const view = (storageClass: StorageClass, volumes: readonly Volume[] = []): ClaimView => ({
  node: 'a',
  nodes: ['a', 'b'],
  storageClass: (name) => (name === 'standard' ? storageClass : undefined),
  volume: (name) => volumes.find(({ metadata }) => metadata.name === name),
})
const asking = (annotations: object = {}, spec: object = {}, metadata: object = {}) =>
  claim(
    { storageClassName: 'standard', ...spec },
    {},
    {
      annotations: { 'volume.kubernetes.io/storage-provisioner': 'fairway/local', ...annotations },
      ...metadata,
    },
  )
const onNode = { 'volume.kubernetes.io/selected-node': 'a' }
const ours = (spec: object = {}, status: object = {}, metadata: object = {}) => {
  const made = planVolumeObject(claim(), cls(), { hostname: 'a', path: '/x' })
  return volume(
    'v',
    '10Gi',
    { ...made.spec, ...spec },
    { phase: 'Bound', ...status },
    { ...made.metadata, name: 'v', ...metadata },
  )
}

test('which claims this node provides for', () => {
  const cases = [
    ['its pod goes here', asking(onNode), delayed, 'provision'],
    ['its pod goes elsewhere', asking({ 'volume.kubernetes.io/selected-node': 'b' }), delayed, 'nothing'],
    ['it waits for its pod', asking(), delayed, 'nothing'],
    ['nobody was asked yet', claim({ storageClassName: 'standard' }), cls(), 'nothing'],
    ['somebody else was asked', asking({ 'volume.kubernetes.io/storage-provisioner': 'x/y' }), cls(), 'nothing'],
    ['the class is not ours any more', asking(onNode), cls({ provisioner: 'x/y' }), 'nothing'],
    ['there is no such class', asking(onNode, { storageClassName: 'gone' }), delayed, 'nothing'],
    ['it goes', asking(onNode, {}, { deletionTimestamp: at(0) }), delayed, 'nothing'],
  ] as const
  for (const [name, one, storageClass, want] of cases) assert.equal(planClaim(one, view(storageClass)).kind, want, name)
})

test('a claim whose volume is there already gets no second one', () => {
  const made = volume('pvc-uid-claim')
  assert.equal(planClaim(asking(onNode), view(delayed, [made])).kind, 'nothing')
})

test('a class that does not wait: exactly one node provides, and all agree which', () => {
  for (let i = 0; i < 50; i++) {
    const one = asking({}, {}, { uid: `uid-${i}` })
    const who = ['a', 'b'].filter((node) => planClaim(one, { ...view(cls()), node }).kind === 'provision')
    assert.deepEqual(who, [pickNode(`uid-${i}`, ['b', 'a'])])
  }
  assert.ok(new Set(Array.from({ length: 50 }, (_, i) => pickNode(`uid-${i}`, ['a', 'b']))).size === 2)
})

test('a bound claim that asks for more', () => {
  const bound = (storage: string) =>
    claim({ volumeName: 'v', resources: { requests: { storage } } }, { phase: 'Bound', capacity: { storage: '10Gi' } })
  const mine = ours({ claimRef: { uid: 'uid-claim' } })
  assert.equal(planClaim(bound('20Gi'), view(cls(), [mine])).kind, 'expand')
  assert.equal(planClaim(bound('10Gi'), view(cls(), [mine])).kind, 'nothing')
  assert.equal(planClaim(bound('20Gi'), view(cls(), [volume('v')])).kind, 'nothing', "somebody else's volume")
  assert.equal(planClaim(bound('20Gi'), { ...view(cls(), [mine]), node: 'b' }).kind, 'nothing', 'on another node')
})

test('what becomes of a volume', () => {
  const cases = [
    ['in use', ours(), 'keep'],
    ['released', ours({}, { phase: 'Released' }), 'delete'],
    ['released, to be kept', ours({ persistentVolumeReclaimPolicy: 'Retain' }, { phase: 'Released' }), 'keep for good'],
    ['released, removed already', ours({}, { phase: 'Released' }, { finalizers: [] }), 'nothing'],
    ['deleted while bound', ours({}, {}, { deletionTimestamp: at(0) }), 'keep'],
    ['deleted before it was bound', ours({}, { phase: 'Available' }, { deletionTimestamp: at(0) }), 'delete'],
    ["somebody else's", volume('v', '10Gi', {}, { phase: 'Released' }), 'nothing'],
  ] as const
  for (const [name, one, want] of cases) assert.equal(planVolume(one, 'a'), want, name)
  assert.equal(planVolume(ours(), 'b'), 'nothing')
})

test('the object of a volume', () => {
  const made = planVolumeObject(claim(), cls({ reclaimPolicy: 'Retain' }), { hostname: 'a', path: '/x/data' })
  assert.equal(made.metadata?.name, 'pvc-uid-claim')
  assert.equal(made.metadata?.finalizers, undefined)
  assert.equal(made.spec?.local?.path, '/x/data')
  assert.deepEqual(made.spec?.capacity, { storage: '10Gi' })
})
