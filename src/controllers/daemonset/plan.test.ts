import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { type DaemonSet, daemonSets } from '#api/apps.ts'
import type { Node, Pod } from '#api/core.ts'
import type { Stored } from '#api/stored.ts'
import { daemonPod, nodeOf, placeOn, tolerationsOf } from '#controllers/daemonset/nodes.ts'
import { daemonSetStatus, planDaemonSet } from '#controllers/daemonset/plan.ts'
import { at, epochMs, meta, node, ownedBy, pod, runningPod } from '#test/stored-objects.ts'

const set = (spec: object = {}, podSpec: object = {}) =>
  ({
    metadata: meta('agent'),
    spec: {
      selector: {},
      template: { metadata: { labels: { app: 'agent' } }, spec: { containers: [{ name: 'c' }], ...podSpec } },
      ...spec,
    },
  }) as unknown as Stored<DaemonSet>

const daemon = (
  name: string,
  on: string,
  hash = 'new',
  { ready = true, ...metadata }: { ready?: boolean; [key: string]: unknown } = {},
) =>
  runningPod(name, on, '10.0.0.1', {
    ...(ready ? { readySince: 0 } : {}),
    metadata: { labels: { 'controller-revision-hash': hash }, ...metadata },
  })
const three = [node('n1'), node('n2'), node('n3')]

function told(
  one: Stored<DaemonSet>,
  nodes: readonly Stored<Node>[],
  pods: readonly Stored<Pod>[],
  seconds = 60,
): string {
  const { create, remove } = planDaemonSet({ set: one, nodes, pods, hash: 'new', nowMs: epochMs + seconds * 1000 })
  return [...create.map((name) => `+${name}`), ...remove.map(({ metadata }) => `-${metadata.name}`)].sort().join(' ')
}

test('where it runs', () => {
  const taint = (key: string, effect: string) => node('n', { spec: { taints: [{ key, effect }] } })
  const cases: readonly (readonly [string, object, Stored<Node>, string])[] = [
    ['anywhere', {}, node('n'), 'runs'],
    ['by label', { nodeSelector: { disk: 'ssd' } }, node('n', { metadata: { labels: { disk: 'ssd' } } }), 'runs'],
    ['not there', { nodeSelector: { disk: 'ssd' } }, node('n'), 'goes'],
    ['by name', { nodeName: 'other' }, node('n'), 'goes'],
    ['a taint', {}, taint('x', 'NoSchedule'), 'stays'],
    ['a hard taint', {}, taint('x', 'NoExecute'), 'goes'],
    ['a tolerated one', { tolerations: [{ key: 'x', operator: 'Exists' }] }, taint('x', 'NoExecute'), 'runs'],
    ['a cordoned node', {}, taint('node.kubernetes.io/unschedulable', 'NoSchedule'), 'runs'],
    ['a node that does not answer', {}, taint('node.kubernetes.io/unreachable', 'NoExecute'), 'runs'],
  ]
  for (const [name, spec, one, want] of cases) assert.equal(placeOn(set({}, spec), one), want, name)
  const own = {
    tolerations: [{ key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' }],
    hostNetwork: true,
  }
  assert.equal(tolerationsOf(set({}, own).spec.template).length, 7)
})

test('a pod for a node', () => {
  const made = daemonPod(set(), 'n1', 'new')
  assert.equal(nodeOf(made), 'n1')
  assert.deepEqual(made.metadata?.ownerReferences, ownedBy(daemonSets, 'agent'))
  assert.equal(made.metadata?.labels?.['controller-revision-hash'], 'new')
  assert.equal(made.spec?.nodeName, undefined, 'the scheduler places it')
})

test('one on each node', () => {
  const waiting = { ...pod('w', { metadata: { labels: {} } }), spec: daemonPod(set(), 'gone', 'new').spec! }
  const failed = { ...daemon('b', 'n1'), status: { phase: 'Failed' } }
  const cases: readonly (readonly [string, readonly Stored<Node>[], readonly Stored<Pod>[], string])[] = [
    ['none yet', three, [], '+n1 +n2 +n3'],
    ['one is missing', three, [daemon('a', 'n1'), daemon('b', 'n2')], '+n3'],
    [
      'one too many: the younger',
      [node('n1')],
      [daemon('a', 'n1', 'new', { creationTimestamp: at(5) }), daemon('b', 'n1')],
      '-a',
    ],
    ['one goes: its successor waits', [node('n1')], [daemon('a', 'n1', 'new', { deletionTimestamp: at(1) })], ''],
    ['one has failed', [node('n1')], [failed], '-b'],
    ['its node is gone', [node('n1')], [daemon('a', 'n1'), waiting], '-w'],
  ]
  for (const [name, nodes, pods, want] of cases) assert.equal(told(set(), nodes, pods), want, name)
  assert.equal(told(set(), [node('n1')], [failed], 4), '', 'one that has failed at once is left for a while')
  assert.equal(
    told(set({}, { nodeSelector: { x: 'y' } }), [node('n1')], [daemon('a', 'n1')]),
    '-a',
    'no longer wanted there',
  )
})

test('replaced a few at a time', () => {
  const strategy = (rollingUpdate: object, type = 'RollingUpdate') => ({ updateStrategy: { type, rollingUpdate } })
  const old = three.map(({ metadata }, i) => daemon(`o${i + 1}`, metadata.name, 'old'))
  const [, o2, o3] = old as [Stored<Pod>, Stored<Pod>, Stored<Pod>]
  const cases: readonly (readonly [string, object, readonly Stored<Pod>[], string])[] = [
    ['one', strategy({ maxUnavailable: 1 }), old, '-o1'],
    [
      'waits for the new one',
      strategy({ maxUnavailable: 1 }),
      [daemon('a', 'n1', 'new', { ready: false }), o2, o3],
      '',
    ],
    ['goes on', strategy({ maxUnavailable: 1 }), [daemon('a', 'n1'), o2, o3], '-o2'],
    ['half of them', strategy({ maxUnavailable: '50%' }), old, '-o1 -o2'],
    [
      'those that do not work, whatever their number',
      strategy({ maxUnavailable: 1 }),
      [daemon('o1', 'n1', 'old', { ready: false }), daemon('o2', 'n2', 'old', { ready: false }), o3],
      '-o1 -o2',
    ],
    ['only when deleted', strategy({}, 'OnDelete'), old, ''],
    ['beside the old one', strategy({ maxUnavailable: 0, maxSurge: 1 }), old, '+n1'],
    [
      'both there, the new one not yet available',
      strategy({ maxUnavailable: 0, maxSurge: 1 }),
      [...old, daemon('a', 'n1', 'new', { ready: false })],
      '',
    ],
    ['the new one is available', strategy({ maxUnavailable: 0, maxSurge: 1 }), [...old, daemon('a', 'n1')], '-o1'],
    ['the next', strategy({ maxUnavailable: 0, maxSurge: 1 }), [o2, o3, daemon('a', 'n1')], '+n2'],
    [
      'done',
      strategy({ maxUnavailable: 1 }),
      three.map(({ metadata }) => daemon(`a-${metadata.name}`, metadata.name)),
      '',
    ],
  ]
  for (const [name, spec, pods, want] of cases) assert.equal(told(set(spec), three, pods), want, name)
})

test('status', () => {
  const nodes = [...three, node('n4', { spec: { taints: [{ key: 'x', effect: 'NoSchedule' }] } })]
  const pods = [daemon('a', 'n1'), daemon('b', 'n2', 'old', { ready: false }), daemon('d', 'n4')]
  assert.deepEqual(daemonSetStatus({ set: set(), nodes, pods, hash: 'new', nowMs: epochMs }), {
    currentNumberScheduled: 2,
    numberMisscheduled: 1,
    desiredNumberScheduled: 3,
    numberReady: 1,
    observedGeneration: 1,
    updatedNumberScheduled: 1,
    numberAvailable: 1,
    numberUnavailable: 2,
  })
})
