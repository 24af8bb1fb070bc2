import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { deployments, replicaSets } from '#api/apps.ts'
import type { Pod } from '#api/core.ts'
import type { Stored } from '#api/stored.ts'
import { writeStatus } from '#client/control/act.ts'
import { slowStart } from '#controllers/pod-writes.ts'
import { planReplicaSet } from '#controllers/replicaset/plan.ts'
import { nextAvailableMs, replicaSetStatus } from '#controllers/replicaset/status.ts'
import { chooseVictims, deletionCost } from '#controllers/replicaset/victims.ts'
import { at, epochMs, ownedBy, pod, replicaSet, runningPod } from '#test/stored-objects.ts'

const nowMs = epochMs + 3_600_000
const web = replicaSet('web-1', { metadata: { ownerReferences: ownedBy(deployments, 'web') } })
const ready = (name: string, node = 'node-1', readySince = 0, metadata: Record<string, unknown> = {}) =>
  runningPod(name, node, '10.244.0.2', { readySince, metadata: { ...metadata } })

test('creates what is missing, from the template', () => {
  const plan = planReplicaSet({ resource: replicaSets, set: web, pods: [ready('a')], related: [], nowMs })
  assert.equal(plan.create, 2)
  assert.deepEqual(plan.pod, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      generateName: 'web-1-',
      namespace: 'default',
      labels: { app: 'web', 'pod-template-hash': '1' },
      ownerReferences: ownedBy(replicaSets, 'web-1'),
    },
    spec: { containers: [{ name: 'main', image: 'v1' }] },
  })
})

test('finished pods and those on their way out are replaced', () => {
  const done = pod('done', { status: { phase: 'Failed' } })
  const leaving = ready('leaving', 'node-1', 0, { deletionTimestamp: at(1) })
  const plan = planReplicaSet({
    resource: replicaSets,
    set: web,
    pods: [done, leaving, ready('a')],
    related: [],
    nowMs,
  })
  assert.deepEqual([plan.create, plan.terminating.length, plan.active.length], [2, 1, 1])
})

test('a ReplicaSet on its way out leaves its pods alone', () => {
  const set = replicaSet('web-1', { metadata: { deletionTimestamp: at(1) }, spec: { replicas: 1 } })
  assert.equal(planReplicaSet({ resource: replicaSets, set, pods: [], related: [], nowMs }).create, 0)
  assert.equal(
    planReplicaSet({ resource: replicaSets, set, pods: [ready('a'), ready('b')], related: [], nowMs }).victims.length,
    0,
  )
})

test('slow start', () => {
  for (const [count, want] of [
    [0, []],
    [1, [1]],
    [3, [1, 2]],
    [10, [1, 2, 4, 3]],
  ] as const)
    assert.deepEqual(slowStart(count), want)
})

test('the pod to give up', () => {
  const restarted = (count: number) => ({
    ...ready('restarted'),
    status: {
      ...ready('x').status,
      containerStatuses: [{ name: 'main', restartCount: count, ready: true, image: '', imageID: '' }],
    },
  })
  const cost = (name: string, value: string) =>
    ready(name, 'node-1', 0, { annotations: { 'controller.kubernetes.io/pod-deletion-cost': value } })
  const cases: readonly (readonly [string, readonly Stored<Pod>[], string])[] = [
    ['without a node', [ready('a'), pod('b', { status: { phase: 'Pending' } })], 'b'],
    ['pending', [ready('a'), pod('b', { spec: { nodeName: 'node-1' }, status: { phase: 'Pending' } })], 'b'],
    ['not ready', [ready('a'), runningPod('b', 'node-1', '10.244.0.3')], 'b'],
    ['of lower cost', [cost('a', '10'), cost('b', '-5')], 'b'],
    ['on the more crowded node', [ready('a', 'node-1'), ready('b', 'node-2'), ready('c', 'node-2')], 'b'],
    ['ready for a much shorter time', [ready('a', 'node-1', 0), ready('b', 'node-1', 3000)], 'b'],
    ['ready for about as long: by UID, which tells nothing', [ready('b', 'node-1', 0), ready('a', 'node-1', 10)], 'a'],
    ['restarted more often', [ready('a'), restarted(2)], 'restarted'],
    ['younger', [ready('a'), ready('b', 'node-1', 0, { creationTimestamp: at(3000) })], 'b'],
  ]
  for (const [name, pods, want] of cases)
    assert.equal(chooseVictims(pods, pods, 1, nowMs)[0]?.metadata.name, want, name)
})

test('deletion cost', () => {
  const of = (value: string) =>
    deletionCost(ready('a', 'n', 0, { annotations: { 'controller.kubernetes.io/pod-deletion-cost': value } }))
  assert.deepEqual(['7', '-7', '007', 'x', '99999999999', ''].map(of), [7, -7, 0, 0, 0, 0])
})

test('status counts', () => {
  const set = replicaSet('web-1', { spec: { minReadySeconds: 60 }, metadata: { generation: 4 } })
  const labels = { app: 'web', 'pod-template-hash': '1' }
  const active = [ready('a', 'n', 0, { labels }), ready('b', 'n', 3590, { labels: { app: 'web' } }), pod('c')]
  const status = replicaSetStatus(set, active, [pod('d')], undefined, nowMs)
  assert.deepEqual(status, {
    replicas: 3,
    fullyLabeledReplicas: 1,
    readyReplicas: 2,
    availableReplicas: 1,
    observedGeneration: 4,
    terminatingReplicas: 1,
  })
  assert.equal(nextAvailableMs(set, active, nowMs), 50_000)
  assert.equal(writeStatus(replicaSets, { ...set, status }, status).length, 0)
})

test('a failure is told once, and taken back', () => {
  const failure = { reason: 'FailedCreate', message: 'quota' } as const
  const status = replicaSetStatus(web, [], [], failure, epochMs)
  const want = { type: 'ReplicaFailure', status: 'True', lastTransitionTime: at(0), ...failure }
  assert.deepEqual(status.conditions, [want])
  const again = replicaSetStatus({ ...web, status }, [], [], { ...failure, message: 'other' }, nowMs)
  assert.deepEqual(again.conditions, [want])
  assert.equal(replicaSetStatus({ ...web, status }, [], [], undefined, nowMs).conditions, undefined)
  assert.deepEqual(
    writeStatus(replicaSets, { ...web, status }, { replicas: 0 }).map((act) => act.kind === 'patch' && act.patch),
    [{ status: { terminatingReplicas: null, observedGeneration: null, conditions: null } }],
  )
})
