import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { deployments, replicaSets } from '#api/apps.ts'
import { configMaps, nodes, pods } from '#api/core.ts'
import type { OwnerReference } from '#api/meta.ts'
import { type Resource, apiVersionOf } from '#api/resource.ts'
import type { Stored } from '#api/stored.ts'
import type { Act } from '#client/control/act.ts'
import { type Asked, decide } from '#controllers/garbage-collector/decide.ts'
import { Graph, type Item } from '#controllers/garbage-collector/graph.ts'
import { at, meta } from '#test/stored-objects.ts'

type Options = {
  readonly owners?: readonly OwnerReference[]
  readonly finalizers?: readonly string[]
  readonly going?: boolean
  readonly namespace?: string | undefined
}

function item(resource: Resource, name: string, { owners, finalizers, going, ...more }: Options = {}): Item {
  const metadata = meta(name, {
    ...more,
    ...(owners ? { ownerReferences: owners } : {}),
    ...(finalizers ? { finalizers } : {}),
    ...(going ? { deletionTimestamp: at(1) } : {}),
  })
  return { resource, object: { metadata } as Stored }
}
const by = (resource: Resource, name: string, more: object = {}): OwnerReference => ({
  apiVersion: apiVersionOf(resource),
  kind: resource.kind,
  name,
  uid: `uid-${name}`,
  controller: true,
  blockOwnerDeletion: true,
  ...more,
})

function graphOf(...items: readonly Item[]): Graph {
  const graph = new Graph()
  for (const one of items) graph.observe(one)
  return graph
}

function told(acts: readonly Act[]): string[] {
  return acts.map((act) => {
    if (act.kind === 'delete') return `delete ${act.target.name} ${act.propagation}`
    if (act.kind !== 'patch') return act.kind
    const { ownerReferences, finalizers } = (
      act.patch as { metadata: { ownerReferences?: OwnerReference[]; finalizers?: string[] } }
    ).metadata
    if (finalizers !== undefined) return `${act.target.name} finalizers [${finalizers}]`
    return `${act.target.name} owners [${ownerReferences?.map(({ name, blockOwnerDeletion }) => `${name}${blockOwnerDeletion ? '' : '?'}`)}]`
  })
}
const decided = (graph: Graph, name: string, asked: Asked = () => undefined) => decide(graph, `uid-${name}`, asked)

const web = item(deployments, 'web')
const set = item(replicaSets, 'set', { owners: [by(deployments, 'web')] })
const pod = item(pods, 'pod', { owners: [by(replicaSets, 'set')] })
const foreground = { going: true, finalizers: ['foregroundDeletion'] }

test('an owner goes in the background: its dependents follow', () => {
  const graph = graphOf(web, set, pod)
  assert.deepEqual(decided(graph, 'pod').acts, [])
  assert.deepEqual(graph.forget('uid-web'), ['uid-set'])
  assert.deepEqual(told(decided(graph, 'set').acts), ['delete set Background'])
  assert.deepEqual(graph.forget('uid-set'), ['uid-pod'])
  const [act] = decided(graph, 'pod').acts
  assert.deepEqual(act?.kind === 'delete' && act.target, {
    name: 'pod',
    uid: 'uid-pod',
    namespace: 'default',
    resourceVersion: '1',
  })
  graph.forget('uid-pod')
  assert.equal(graph.isGone('uid-set'), false, 'nothing refers to it any more')
})

test('an owner that was never seen: the server is asked', () => {
  const graph = new Graph()
  assert.deepEqual(graph.observe(pod), ['uid-pod'])
  assert.deepEqual(
    decided(graph, 'pod').unknown.map(({ name }) => name),
    ['set'],
  )
  assert.deepEqual(
    decided(graph, 'pod', () => 'exists'),
    { acts: [], unknown: [], examine: [] },
    'it lives',
  )
  assert.deepEqual(told(decided(graph, 'pod', () => 'absent').acts), ['delete pod Background'])
  graph.markGone('uid-set')
  assert.deepEqual(told(decided(graph, 'pod').acts), ['delete pod Background'])
})

test('several owners', () => {
  const shared = item(pods, 'shared', { owners: [by(replicaSets, 'set'), by(replicaSets, 'other')] })
  const graph = graphOf(web, set, item(replicaSets, 'other'), shared)
  assert.deepEqual(told(decided(graph, 'shared').acts), [])
  graph.forget('uid-other')
  assert.deepEqual(told(decided(graph, 'shared').acts), ['shared owners [set]'])
  graph.forget('uid-set')
  assert.deepEqual(told(decided(graph, 'shared').acts), ['delete shared Background'])
})

test('foreground: from the leaves up', () => {
  const graph = graphOf(web, set, pod)
  assert.deepEqual(graph.observe(item(deployments, 'web', foreground)), ['uid-set', 'uid-web'])
  assert.deepEqual(decided(graph, 'web').examine, ['uid-set'])
  assert.deepEqual(told(decided(graph, 'set').acts), ['delete set Foreground'])
  graph.observe(item(replicaSets, 'set', { ...foreground, owners: [by(deployments, 'web')] }))
  assert.deepEqual(decided(graph, 'set').examine, ['uid-pod'])
  assert.deepEqual(told(decided(graph, 'pod').acts), ['delete pod Background'])
  assert.deepEqual(graph.forget('uid-pod'), ['uid-set'])
  assert.deepEqual(told(decided(graph, 'set').acts), ['set finalizers []'])
  assert.deepEqual(graph.forget('uid-set'), ['uid-web'])
  assert.deepEqual(told(decided(graph, 'web').acts), ['web finalizers []'])
})

test('foreground: a dependent that does not block is not waited for, one that stops blocking neither', () => {
  const loose = item(replicaSets, 'set', { owners: [by(deployments, 'web', { blockOwnerDeletion: false })] })
  const gone = item(deployments, 'web', { ...foreground, finalizers: ['foregroundDeletion', 'mine'] })
  assert.deepEqual(told(decided(graphOf(gone, loose), 'web').acts), ['web finalizers [mine]'])
  const graph = graphOf(gone, set)
  assert.deepEqual(graph.observe(loose), ['uid-web'])
})

test('foreground: another owner keeps it, only the reference goes', () => {
  const shared = item(replicaSets, 'shared', { owners: [by(deployments, 'web'), by(deployments, 'other')] })
  const graph = graphOf(item(deployments, 'web', foreground), item(deployments, 'other'), shared)
  assert.deepEqual(told(decided(graph, 'shared').acts), ['shared owners [other]'])
})

test('foreground: owners in a circle', () => {
  const a = item(configMaps, 'a', { ...foreground, owners: [by(configMaps, 'b')] })
  const b = item(configMaps, 'b', { owners: [by(configMaps, 'a')] })
  assert.deepEqual(told(decided(graphOf(a, b), 'b').acts), ['b owners [a?]', 'delete b Foreground'])
})

test('orphans', () => {
  const graph = graphOf(web, set, pod)
  const orphaning = { going: true, finalizers: ['orphan'] }
  assert.deepEqual(graph.observe(item(deployments, 'web', orphaning)), ['uid-web'])
  assert.deepEqual(told(decided(graph, 'web').acts), ['set owners []', 'web finalizers []'])
})

test('finalizers choose how a dependent goes', () => {
  for (const [finalizer, want] of [
    ['orphan', 'Orphan'],
    ['foregroundDeletion', 'Foreground'],
    ['mine', 'Background'],
  ]) {
    const graph = graphOf(web, item(replicaSets, 'set', { owners: [by(deployments, 'web')], finalizers: [finalizer!] }))
    graph.forget('uid-web')
    assert.deepEqual(told(decided(graph, 'set').acts), [`delete set ${want}`])
  }
})

test('an object on its way out for another reason is left alone', () => {
  const graph = graphOf(
    web,
    item(replicaSets, 'set', { owners: [by(deployments, 'web')], going: true, finalizers: ['mine'] }),
  )
  graph.forget('uid-web')
  assert.deepEqual(decided(graph, 'set'), { acts: [], unknown: [], examine: [] })
})

test('a reference that names its owner wrongly', () => {
  const cases: readonly (readonly [string, Item, Item])[] = [
    ['another namespace', item(replicaSets, 'set', { namespace: 'other' }), pod],
    ['another kind', item(configMaps, 'set'), pod],
    [
      'another name',
      item(replicaSets, 'set'),
      item(pods, 'pod', { owners: [by(replicaSets, 'x', { uid: 'uid-set' })] }),
    ],
  ]
  for (const [name, owner, dependent] of cases) {
    const graph = graphOf(owner)
    assert.deepEqual(graph.observe(dependent), ['uid-pod'], name)
    assert.equal(decided(graph, 'pod').unknown.length, 1, name)
    assert.deepEqual(told(decided(graph, 'pod', () => 'absent').acts), ['delete pod Background'], name)
  }
  const cluster = item(nodes, 'node', { namespace: undefined })
  const lease = item(configMaps, 'cm', { owners: [by(nodes, 'node')], namespace: 'kube-node-lease' })
  assert.deepEqual(decided(graphOf(cluster, lease), 'cm').acts, [], 'an owner without namespace may own anything')
})
