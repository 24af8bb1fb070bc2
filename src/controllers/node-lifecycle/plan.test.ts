import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Lease } from '#api/coordination.ts'
import type { Node, Taint } from '#api/core.ts'
import type { Stored } from '#api/stored.ts'
import { type Heard, hear, patienceMs, silentConditions } from '#controllers/node-lifecycle/health.ts'
import { type NodeState, planNode } from '#controllers/node-lifecycle/plan.ts'
import { taintsOf } from '#controllers/node-lifecycle/taints.ts'
import { at, epochMs, meta, node, runningPod } from '#test/stored-objects.ts'

const grace = { monitorMs: 50_000, startupMs: 60_000 }
const ready = (name: string, status: string, more: object = {}) =>
  node(name, { status: { conditions: [{ type: 'Ready', status, lastHeartbeatTime: at(0) }] }, ...more })
const lease = (seconds: number): Lease => ({ metadata: meta('node-1'), spec: { renewTime: at(seconds) } })
const ms = (seconds: number) => epochMs + seconds * 1000

test('the node is heard through its lease or its status', () => {
  const one = ready('node-1', 'True')
  const first = hear(undefined, one, lease(0), ms(100))
  assert.equal(first.atMs, ms(100), 'patience begins when this process begins to listen')
  assert.equal(patienceMs(one, first, grace, ms(100)), 50_000)
  assert.equal(hear(first, one, lease(0), ms(110)).atMs, ms(100), 'no news')
  assert.equal(hear(first, one, lease(10), ms(110)).atMs, ms(110), 'lease renewed')
  const newer = node('node-1', {
    status: { conditions: [{ type: 'Ready', status: 'True', lastHeartbeatTime: at(9) }] },
  })
  assert.equal(hear(first, newer, lease(0), ms(120)).atMs, ms(120), 'status renewed')
  const reborn = { ...one, metadata: { ...one.metadata, uid: 'other' } }
  assert.equal(hear(first, reborn, lease(0), ms(130)).atMs, ms(130), 'another node of that name')
})

test('a node that has never reported is measured from its creation', () => {
  const fresh = node('node-1')
  const heard = hear(undefined, fresh, undefined, ms(20))
  assert.equal(patienceMs(fresh, heard, grace, ms(20)), 40_000)
  const conditions = silentConditions(fresh, ms(61))
  assert.deepEqual(
    conditions.map(({ type }) => type),
    ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'],
  )
  assert.deepEqual(conditions[0], {
    type: 'Ready',
    status: 'Unknown',
    reason: 'NodeStatusNeverUpdated',
    message: 'Kubelet never posted node status.',
    lastHeartbeatTime: at(0),
    lastTransitionTime: at(61),
  })
})

test('taints follow the conditions', () => {
  const of = (conditions: readonly (readonly [string, string])[], spec: object = {}) =>
    node('n', { spec: { ...spec }, status: { conditions: conditions.map(([type, status]) => ({ type, status })) } })
  const short = (taints: readonly Taint[]) =>
    taints.map(({ key, effect }) => `${key.replace('node.kubernetes.io/', '')}:${effect}`)
  const custom = { key: 'gpu', value: 'yes', effect: 'NoSchedule' }
  const unreachable = ['unreachable', 'NoSchedule', 'NoExecute'] as const
  const both = unreachable.slice(1).map((effect) => ({ key: 'node.kubernetes.io/unreachable', effect }))
  const cases: readonly (readonly [string, Node, readonly string[]])[] = [
    ['ready', of([['Ready', 'True']]), []],
    ['not ready', of([['Ready', 'False']]), ['not-ready:NoSchedule', 'not-ready:NoExecute']],
    ['silent', of([['Ready', 'Unknown']]), ['unreachable:NoSchedule', 'unreachable:NoExecute']],
    ['cordoned', of([['Ready', 'True']], { unschedulable: true }), ['unschedulable:NoSchedule']],
    [
      'short of memory',
      of([
        ['Ready', 'True'],
        ['MemoryPressure', 'True'],
      ]),
      ['memory-pressure:NoSchedule'],
    ],
    [
      'without network',
      of([
        ['Ready', 'True'],
        ['NetworkUnavailable', 'True'],
      ]),
      ['network-unavailable:NoSchedule'],
    ],
    ['ready again', of([['Ready', 'True']], { taints: both }), []],
    [
      'silent, then not ready',
      of([['Ready', 'False']], { taints: both }),
      ['not-ready:NoSchedule', 'not-ready:NoExecute'],
    ],
    ["other people's taints stay", of([['Ready', 'True']], { taints: [custom, ...both] }), ['gpu:NoSchedule']],
  ]
  for (const [name, one, want] of cases) assert.deepEqual(short(taintsOf(one, true, ms(0))), want, name)
  assert.deepEqual(
    short(taintsOf(of([['Ready', 'Unknown']]), false, ms(0))),
    ['unreachable:NoSchedule'],
    'no node answers',
  )
  assert.deepEqual(taintsOf(of([['Ready', 'False']]), true, ms(5))[0]?.timeAdded, at(5))
  const kept = of([['Ready', 'Unknown']], { taints: both })
  assert.equal(taintsOf(kept, true, ms(9)), kept.spec?.taints, 'the time at which they were added stays')
})

function plan(one: Stored<Node>, seconds: number, more: Partial<NodeState> = {}) {
  const heard: Heard = { uid: one.metadata.uid, heartbeat: at(0), renewal: undefined, atMs: ms(0) }
  const pods = [runningPod('a', 'node-1', '10.244.0.2', { readySince: 0 }), runningPod('b', 'node-1', '10.244.0.3')]
  return planNode({
    node: one,
    heard,
    nodes: [
      [one, heard],
      [ready('node-2', 'True'), undefined],
    ],
    pods,
    grace,
    nowMs: ms(seconds),
    ...more,
  })
}

test('silence within the grace period', () => {
  assert.deepEqual(plan(ready('node-1', 'True'), 30), { acts: [], podActs: [], againAfterMs: 20_000 })
})

test('silence for too long: the node is not ready, is tainted, and its pods are not ready', () => {
  const { acts, podActs, againAfterMs } = plan(ready('node-1', 'True'), 50)
  const [status, event, taints] = acts
  assert.equal(againAfterMs, undefined)
  const { conditions } = (status?.kind === 'patch' && (status.patch as Node).status) || {}
  assert.deepEqual(conditions?.[0], {
    type: 'Ready',
    status: 'Unknown',
    reason: 'NodeStatusUnknown',
    message: 'Kubelet stopped posting node status.',
    lastHeartbeatTime: at(0),
    lastTransitionTime: at(50),
  })
  assert.deepEqual(event?.kind === 'event' && event.message, 'Node node-1 status is now: NodeNotReady')
  assert.deepEqual(taints?.kind === 'patch' && (taints.patch as Node).spec?.taints?.map(({ effect }) => effect), [
    'NoSchedule',
    'NoExecute',
  ])
  assert.deepEqual(
    podActs.map((act) =>
      act.kind === 'patch' ? `${act.target.name} ${JSON.stringify(act.patch)}` : act.kind === 'event' && act.message,
    ),
    [
      `a {"status":{"conditions":[{"type":"Ready","status":"False","lastTransitionTime":"${at(50)}"}]}}`,
      'Node is not ready',
    ],
  )
})

test('no node answers: nobody is evicted', () => {
  const one = ready('node-1', 'True')
  const { acts } = plan(one, 50, {
    nodes: [
      [one, undefined],
      [ready('node-2', 'Unknown'), undefined],
    ],
  })
  const taints = acts.find((act) => act.kind === 'patch' && act.subresource === undefined)
  assert.deepEqual(taints?.kind === 'patch' && (taints.patch as Node).spec?.taints?.map(({ effect }) => effect), [
    'NoSchedule',
  ])
})

test('the last one that answers is about to fall silent as well', () => {
  const one = ready('node-1', 'True')
  const lost: Heard = { uid: 'uid-node-2', heartbeat: at(0), renewal: undefined, atMs: ms(0) }
  const { acts } = plan(one, 50, {
    nodes: [
      [one, undefined],
      [ready('node-2', 'True'), lost],
    ],
  })
  const taints = acts.find((act) => act.kind === 'patch' && act.subresource === undefined)
  assert.equal(taints?.kind === 'patch' && (taints.patch as Node).spec?.taints?.length, 1)
})

test('the node says itself that it is not ready: that is its own word, and its pods speak for themselves', () => {
  const { acts, podActs } = plan(ready('node-1', 'False'), 10)
  assert.deepEqual(
    acts.map(({ kind }) => kind),
    ['patch'],
  )
  assert.deepEqual(podActs, [])
})

test('ready again: the taints go', () => {
  const taints = [{ key: 'node.kubernetes.io/unreachable', effect: 'NoExecute' }]
  const { acts } = plan(ready('node-1', 'True', { spec: { taints } }), 10)
  assert.deepEqual(
    acts.map((act) => act.kind === 'patch' && act.patch),
    [{ spec: { taints: null } }],
  )
})
