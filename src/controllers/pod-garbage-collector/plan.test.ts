import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Pod } from '#api/core.ts'
import type { Stored } from '#api/stored.ts'
import { planPodGarbage } from '#controllers/pod-garbage-collector/plan.ts'
import { at, epochMs, node, pod, runningPod } from '#test/stored-objects.ts'

const nodes = new Map([['node-1', node('node-1', { status: { conditions: [{ type: 'Ready', status: 'True' }] } })]])
const finished = (name: string, age: number, status: object = {}) =>
  pod(name, {
    metadata: { creationTimestamp: at(-age) },
    spec: { nodeName: 'node-1' },
    status: { phase: 'Succeeded', ...status },
  })
const leaving = { metadata: { deletionTimestamp: at(0) } }

function told(pods: readonly Stored<Pod>[], more: Partial<Parameters<typeof planPodGarbage>[0]> = {}): string[] {
  const state = { pods, nodes, missingSince: new Map(), terminatedThreshold: 2, nowMs: epochMs, ...more }
  return planPodGarbage(state).map((act) =>
    act.kind === 'patch' || act.kind === 'delete' ? `${act.kind} ${act.target.name}` : act.kind,
  )
}

test('finished pods beyond the threshold, the oldest first', () => {
  assert.deepEqual(told([finished('c', 1), finished('a', 3), finished('b', 2)]), ['delete a'])
  const evicted = finished('new', 0, { phase: 'Failed', reason: 'Evicted' })
  assert.deepEqual(told([finished('a', 3), finished('b', 2), evicted]), ['delete new'])
  assert.deepEqual(told([finished('a', 3), finished('b', 2)]), [])
})

test('pods of a node that is gone, after a while', () => {
  const lost = [runningPod('a', 'node-9', '10.244.9.2', { readySince: 0 })]
  assert.deepEqual(told(lost), [])
  assert.deepEqual(told(lost, { missingSince: new Map([['node-9', epochMs - 39_000]]) }), [])
  assert.deepEqual(told(lost, { missingSince: new Map([['node-9', epochMs - 40_000]]) }), ['patch a', 'delete a'])
})

test('pods on their way out that never had a node', () => {
  assert.deepEqual(told([pod('a', leaving), pod('b')]), ['patch a', 'delete a'])
})

test('pods on their way out on a node that is out of service', () => {
  const taints = [{ key: 'node.kubernetes.io/out-of-service', effect: 'NoExecute' }]
  const down = new Map([
    ['node-1', node('node-1', { spec: { taints }, status: { conditions: [{ type: 'Ready', status: 'Unknown' }] } })],
  ])
  const pods = [runningPod('a', 'node-1', '10.244.0.2', leaving), runningPod('b', 'node-1', '10.244.0.3')]
  assert.deepEqual(told(pods, { nodes: down }), ['patch a', 'delete a'])
  assert.deepEqual(told(pods), [], 'the node is fine: it will end them itself')
})
