import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Node, Pod } from '#api/core.ts'
import type { Labels } from '#api/selector.ts'
import type { Stored } from '#api/stored.ts'
import { byPriority, isNews, isWaiting, planPlacement } from '#controllers/scheduler/plan.ts'
import { portsCollide, requestsOf } from '#controllers/scheduler/resources.ts'
import { type ClusterView, viewOf } from '#controllers/scheduler/view.ts'
import { noVolumes } from '#controllers/scheduler/volumes.ts'
import { at, node, pod } from '#test/stored-objects.ts'

const big = { cpu: '4', memory: '8Gi', pods: '110' }
const host = (
  name: string,
  { labels = {}, spec = {}, allocatable = big }: { labels?: Labels; spec?: object; allocatable?: object } = {},
) =>
  node(name, {
    metadata: { labels: { 'kubernetes.io/hostname': name, ...labels } },
    spec: { ...spec },
    status: { allocatable },
  })
const zone = (name: string, z: string) => host(name, { labels: { 'topology.kubernetes.io/zone': z } })

function cluster(
  nodes: readonly Stored<Node>[],
  pods: readonly Stored<Pod>[] = [],
  groups: readonly Labels[] = [],
): ClusterView {
  return {
    nodes: nodes.map((one) =>
      viewOf(
        one,
        pods.filter(({ spec }) => spec.nodeName === one.metadata.name),
      ),
    ),
    namespaceLabels: (namespace) => ({ 'kubernetes.io/metadata.name': namespace }),
    groupsOf: () => groups,
    volumes: noVolumes,
  }
}
const on = (nodeName: string, name: string, labels: Labels = {}, spec: object = {}) =>
  pod(name, { metadata: { labels }, spec: { nodeName, ...spec } })
const container = (requests: object, ports: readonly object[] = []) => [{ name: 'c', resources: { requests }, ports }]
const three = [host('node-1'), host('node-2'), host('node-3')]

const told = (one: Stored<Pod>, view: ClusterView) => {
  const placement = planPlacement(one, view)
  return placement.kind === 'node' ? placement.name : placement.message
}

test('why there is no node', () => {
  const taint = { key: 'node.kubernetes.io/unreachable', effect: 'NoSchedule' }
  const tainted = host('node-1', { spec: { taints: [taint] } })
  const cordoned = host('node-2', { spec: { unschedulable: true } })
  const small = host('node-3', { allocatable: { cpu: '100m', memory: '1Gi', pods: '110' } })
  const needs = (spec: object, labels: Labels = {}) => pod('p', { metadata: { labels }, spec: { ...spec } })
  const affinity = {
    podAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        { labelSelector: { matchLabels: { app: 'x' } }, topologyKey: 'kubernetes.io/hostname' },
      ],
    },
  }
  const anti = { podAntiAffinity: affinity.podAffinity }
  const spread = {
    maxSkew: 1,
    topologyKey: 'topology.kubernetes.io/zone',
    whenUnsatisfiable: 'DoNotSchedule',
    labelSelector: { matchLabels: { app: 'x' } },
  }
  const cases: readonly (readonly [string, Stored<Pod>, ClusterView, string])[] = [
    ['no nodes', pod('p'), cluster([]), 'no nodes available to schedule pods'],
    [
      'each for its own reason',
      needs({ containers: container({ cpu: '1' }) }),
      cluster([tainted, cordoned, small]),
      '0/3 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable.',
    ],
    [
      'several shortages of one node',
      needs({ containers: container({ cpu: '8', memory: '16Gi' }) }),
      cluster([host('node-1')]),
      '0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory.',
    ],
    [
      'too many pods',
      pod('p'),
      cluster([host('n', { allocatable: { pods: '1' } })], [on('n', 'a')]),
      '0/1 nodes are available: 1 Too many pods.',
    ],
    [
      'what no node has',
      needs({ containers: container({ 'example.com/gpu': '1' }) }),
      cluster(three),
      '0/3 nodes are available: 3 Insufficient example.com/gpu.',
    ],
    [
      'node selector',
      needs({ nodeSelector: { disk: 'ssd' } }),
      cluster(three),
      "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.",
    ],
    [
      'a port of the host',
      needs({ containers: container({}, [{ containerPort: 80, hostPort: 80 }]) }),
      cluster(
        [host('n')],
        [on('n', 'a', {}, { containers: container({}, [{ containerPort: 8080, hostPort: 80, protocol: 'TCP' }]) })],
      ),
      "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.",
    ],
    [
      'nothing to be near to',
      needs({ affinity }),
      cluster(three),
      "0/3 nodes are available: 3 node(s) didn't match pod affinity rules.",
    ],
    [
      'others to keep away from',
      needs({ affinity: anti }),
      cluster([host('n')], [on('n', 'a', { app: 'x' })]),
      "0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules.",
    ],
    [
      'others keep it away',
      needs({}, { app: 'x' }),
      cluster([host('n')], [on('n', 'a', {}, { affinity: anti })]),
      "0/1 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity rules.",
    ],
    [
      'spread, without the label',
      needs({ topologySpreadConstraints: [spread] }, { app: 'x' }),
      cluster([host('n')]),
      "0/1 nodes are available: 1 node(s) didn't match pod topology spread constraints (missing required label).",
    ],
  ]
  for (const [name, one, view, want] of cases) assert.equal(told(one, view), want, name)
})

test('which node', () => {
  const web = { app: 'web' }
  const prefer = (key: string, value: string) => ({
    nodeAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [
        { weight: 1, preference: { matchExpressions: [{ key, operator: 'In', values: [value] }] } },
      ],
    },
  })
  const near = {
    podAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        { labelSelector: { matchLabels: web }, topologyKey: 'kubernetes.io/hostname' },
      ],
    },
  }
  const spread = {
    maxSkew: 1,
    topologyKey: 'topology.kubernetes.io/zone',
    whenUnsatisfiable: 'DoNotSchedule',
    labelSelector: { matchLabels: web },
  }
  const needs = (spec: object, labels: Labels = web) => pod('p', { metadata: { labels }, spec: { ...spec } })
  const zones = [zone('a1', 'a'), zone('a2', 'a'), zone('b1', 'b')]
  const cases: readonly (readonly [string, Stored<Pod>, ClusterView, string])[] = [
    ['all alike: the first by name', pod('p'), cluster([host('node-10'), host('node-2')]), 'node-2'],
    [
      'the one with the fewest of its kind',
      needs({}),
      cluster(three, [on('node-1', 'a', web), on('node-2', 'b', web)], [web]),
      'node-3',
    ],
    [
      'the emptiest',
      pod('p'),
      cluster(three, [
        on('node-1', 'a'),
        on('node-2', 'b', {}, { containers: container({ cpu: '2' }) }),
        on('node-3', 'c'),
        on('node-3', 'd'),
      ]),
      'node-1',
    ],
    [
      'the one that it names by label',
      needs({ nodeSelector: { 'kubernetes.io/hostname': 'node-2' } }),
      cluster(three),
      'node-2',
    ],
    [
      'the one that it prefers',
      needs({ affinity: prefer('kubernetes.io/hostname', 'node-3') }),
      cluster(three),
      'node-3',
    ],
    ['near its own', needs({ affinity: near }), cluster(three, [on('node-2', 'a', web)]), 'node-2'],
    ['near its own, as the first of them', needs({ affinity: near }), cluster(three), 'node-1'],
    [
      'a tolerated taint',
      needs({ tolerations: [{ operator: 'Exists' }] }),
      cluster([host('n', { spec: { taints: [{ key: 'x', effect: 'NoSchedule' }] } })]),
      'n',
    ],
    [
      'one that rather would not: last',
      pod('p'),
      cluster([host('a', { spec: { taints: [{ key: 'x', effect: 'PreferNoSchedule' }] } }), host('b')]),
      'b',
    ],
    [
      'the zone that has fewer',
      needs({ topologySpreadConstraints: [spread] }),
      cluster(zones, [on('a1', 'x', web), on('a2', 'y', web)]),
      'b1',
    ],
    ['another zone, without being asked', needs({}), cluster(zones, [on('a1', 'x', web)], [web]), 'b1'],
    [
      'a pod that has finished takes nothing',
      needs({ containers: container({ cpu: '4' }) }),
      cluster(
        [host('n')],
        [{ ...on('n', 'a', {}, { containers: container({ cpu: '4' }) }), status: { phase: 'Succeeded' } }],
      ),
      'n',
    ],
    ['a node that does not say what it has', needs({ containers: container({ cpu: '4' }) }), cluster([node('n')]), 'n'],
  ]
  for (const [name, one, view, want] of cases) assert.equal(told(one, view), want, name)
})

test('six pods of a Deployment over three nodes: two each', () => {
  const web = { app: 'web' }
  const placed: Stored<Pod>[] = []
  for (let i = 0; i < 6; i++)
    placed.push(on(told(pod(`p${i}`, { metadata: { labels: web } }), cluster(three, placed, [web])), `p${i}`, web))
  assert.deepEqual(
    placed.map(({ spec }) => spec.nodeName),
    ['node-1', 'node-2', 'node-3', 'node-1', 'node-2', 'node-3'],
  )
})

test('what a pod needs at one time', () => {
  const c = (cpu: string, more: object = {}) => ({ name: 'c', resources: { requests: { cpu } }, ...more })
  const of = (spec: object) => requestsOf(pod('p', { spec: { ...spec } })).get('cpu')
  assert.equal(of({ containers: [c('100m'), c('0.2')] }), 300)
  assert.equal(of({ containers: [c('100m')], initContainers: [c('1')] }), 1000)
  assert.equal(of({ containers: [c('100m')], initContainers: [c('200m', { restartPolicy: 'Always' }), c('1')] }), 1200)
  assert.equal(of({ containers: [c('100m')], overhead: { cpu: '50m' } }), 150)
  assert.equal(of({ containers: [{ name: 'c', resources: { limits: { cpu: '1' } } }] }), 1000)
  assert.equal(of({ containers: [c('100m')], resources: { requests: { cpu: '3' } } }), 3000)
})

test('ports of the host', () => {
  assert.equal(portsCollide('0.0.0.0/TCP/80', '10.0.0.1/TCP/80'), true)
  assert.equal(portsCollide('10.0.0.2/TCP/80', '10.0.0.1/TCP/80'), false)
  assert.equal(portsCollide('0.0.0.0/TCP/80', '0.0.0.0/UDP/80'), false)
})

test('who waits, and in which order', () => {
  assert.equal(isWaiting(pod('p')), true)
  for (const spec of [{ nodeName: 'n' }, { schedulerName: 'other' }, { schedulingGates: [{ name: 'g' }] }])
    assert.equal(isWaiting(pod('p', { spec })), false, JSON.stringify(spec))
  assert.equal(isWaiting(pod('p', { metadata: { deletionTimestamp: at(1) } })), false)
  const pods = [
    pod('b'),
    pod('a'),
    pod('old', { metadata: { creationTimestamp: at(-9) } }),
    pod('urgent', { spec: { priority: 1000 } }),
  ]
  assert.deepEqual(
    pods.sort(byPriority).map(({ metadata }) => metadata.name),
    ['urgent', 'old', 'a', 'b'],
  )
})

test('a reason is told once', () => {
  const said = pod('p', {
    status: { conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: 'x' }] },
  })
  assert.deepEqual([isNews(pod('p'), 'x'), isNews(said, 'x'), isNews(said, 'y')], [true, false, true])
})
