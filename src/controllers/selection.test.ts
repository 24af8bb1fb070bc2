import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Pod, Service } from '#api/core.ts'
import type { Stored } from '#api/stored.ts'
import { changesEndpoints, markServices, selectionOf } from '#controllers/selection.ts'
import { Store } from '#client/control/store.ts'
import { at, runningPod, service } from '#test/stored-objects.ts'

const labelled = (name: string, labels: Record<string, string>, version = 1, namespace = 'default') =>
  runningPod(name, 'n', '10.0.0.1', {
    readySince: 0,
    metadata: { labels, namespace, resourceVersion: String(version) },
  })
const names = (list: readonly Stored[]) => list.map(({ metadata }) => metadata.name).sort()

test('pods of a Service, Services of a pod', () => {
  const services = new Store<Service>((object) => object)
  const pods = new Store<Pod>((object) => object)
  services.tell(service('web', { selector: { app: 'web' } }))
  services.tell(service('both', { selector: { app: 'web', tier: 'front' } }))
  services.tell(service('none', { selector: {} }))
  services.tell(service('elsewhere', { selector: { app: 'web' } }, { namespace: 'other' }))
  pods.tell(labelled('a', { app: 'web' }))
  pods.tell(labelled('b', { app: 'web', tier: 'front' }))
  pods.tell(labelled('c', { tier: 'front' }))
  const { podsOf, servicesOf } = selectionOf(services, pods)
  const cases = { web: ['a', 'b'], both: ['b'], none: [] }
  for (const [name, want] of Object.entries(cases))
    assert.deepEqual(names(podsOf(services.get(`default/${name}`)!)), want)
  assert.deepEqual(names(podsOf(services.get('other/elsewhere')!)), [])
  assert.deepEqual(names(servicesOf(pods.get('default/b')!)), ['both', 'web'])
  assert.deepEqual(names(servicesOf(pods.get('default/c')!)), [])
})

test('a pod that changes its labels concerns old and new Services', () => {
  const services = new Store<Service>((object) => object)
  const pods = new Store<Pod>((object) => object)
  services.tell(service('x', { selector: { app: 'x' } }))
  services.tell(service('y', { selector: { app: 'y' } }))
  const marked: string[] = []
  markServices(services, pods, ({ metadata }) => marked.push(metadata.name))
  pods.tell(labelled('a', { app: 'x' }))
  pods.tell(labelled('a', { app: 'y' }, 2))
  assert.deepEqual(marked, ['x', 'y', 'x'])
})

test('what of a pod matters to endpoints', () => {
  const pod = labelled('a', { app: 'x' })
  const ready = (status: string) => ({ ...pod, status: { ...pod.status, conditions: [{ type: 'Ready', status }] } })
  const cases: readonly (readonly [string, Stored<Pod>, boolean])[] = [
    ['nothing', { ...pod }, false],
    ['an annotation', { ...pod, metadata: { ...pod.metadata, annotations: { a: 'b' } } }, false],
    [
      'a condition',
      { ...pod, status: { ...pod.status, conditions: [...pod.status!.conditions!, { type: 'X', status: 'True' }] } },
      false,
    ],
    ['readiness', ready('False'), true],
    ['leaving', { ...pod, metadata: { ...pod.metadata, deletionTimestamp: at(1) } }, true],
    ['an address', { ...pod, status: { ...pod.status, podIPs: [{ ip: '10.0.0.2' }] } }, true],
    ['finished', { ...pod, status: { ...pod.status, phase: 'Failed' } }, true],
    ['labels', labelled('a', {}), true],
  ]
  for (const [name, now, want] of cases) assert.equal(changesEndpoints(pod, now), want, name)
})
