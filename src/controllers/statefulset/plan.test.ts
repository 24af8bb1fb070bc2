import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { type StatefulSet, statefulSets } from '#api/apps.ts'
import type { PersistentVolumeClaim, Pod } from '#api/core.ts'
import type { Stored } from '#api/stored.ts'
import { podOf } from '#controllers/statefulset/identity.ts'
import { type StatefulSetState, planStatefulSet, stepEvent } from '#controllers/statefulset/plan.ts'
import { statefulSetStatus } from '#controllers/statefulset/status.ts'
import { at, epochMs, meta, ownedBy, pod, runningPod } from '#test/stored-objects.ts'

const template = { metadata: { labels: { app: 'db' } }, spec: { containers: [{ name: 'c', image: 'v1' }] } }
const claimTemplate = {
  metadata: { name: 'data' },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
}
const set = (spec: object = {}, more: object = {}) =>
  ({
    metadata: meta('db'),
    spec: {
      replicas: 3,
      serviceName: 'db',
      selector: { matchLabels: { app: 'db' } },
      template,
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
      ...spec,
    },
    ...more,
  }) as unknown as Stored<StatefulSet>

const labels = (name: string, revision: string) => ({
  app: 'db',
  'statefulset.kubernetes.io/pod-name': name,
  'apps.kubernetes.io/pod-index': name.split('-')[1]!,
  'controller-revision-hash': revision,
})
/** `db-0 ready`, `db-1 new`, `db-2 going` ...: a pod and its state; `@r2` is its revision. */
function made(text: string): Stored<Pod> {
  const [, name = '', state = '', revision = 'r1'] = /^(\S+) (\w+)(?:@(\w+))?$/.exec(text) ?? []
  const metadata = { labels: labels(name, revision) }
  switch (state) {
    case 'ready':
      return runningPod(name, 'n', '10.0.0.1', { readySince: 0, metadata })
    case 'starting':
      return runningPod(name, 'n', '10.0.0.1', { metadata })
    case 'going':
      return runningPod(name, 'n', '10.0.0.1', { readySince: 0, metadata: { ...metadata, deletionTimestamp: at(1) } })
    case 'failed':
      return pod(name, { metadata, status: { phase: 'Failed' } })
    default:
      return pod(name, { metadata, status: { phase: 'Pending' } })
  }
}

function told(one: Stored<StatefulSet>, pods: readonly string[], more: Partial<StatefulSetState> = {}): string[] {
  const { steps } = planStatefulSet({
    set: one,
    pods: pods.map(made),
    claimNamed: () => undefined,
    current: { name: 'r1', template },
    update: { name: 'r1', template },
    nowMs: epochMs + 60_000,
    ...more,
  })
  return steps.map(({ verb, pod, acts }) => {
    const create = acts.find((act) => act.kind === 'create' && act.resource.plural === 'pods')
    const revision =
      create?.kind === 'create' ? create.object.metadata?.labels?.['controller-revision-hash'] : undefined
    return [verb, pod, ...(revision === undefined ? [] : [revision])].join(' ')
  })
}

test('one after the other', () => {
  const parallel = { podManagementPolicy: 'Parallel' }
  const cases: readonly (readonly [string, object, readonly string[], readonly string[]])[] = [
    ['the first', {}, [], ['create db-0 r1']],
    ['waits for it', {}, ['db-0 starting'], []],
    ['then the second', {}, ['db-0 ready'], ['create db-1 r1']],
    ['a gap is filled first', {}, ['db-0 ready', 'db-2 ready'], ['create db-1 r1']],
    ['waits for one that goes', {}, ['db-0 going', 'db-1 ready', 'db-2 ready'], []],
    ['a failed one is replaced', {}, ['db-0 ready', 'db-1 failed', 'db-2 ready'], ['delete db-1']],
    ['all at once', parallel, [], ['create db-0 r1', 'create db-1 r1', 'create db-2 r1']],
    ['all at once, some there', parallel, ['db-1 starting'], ['create db-0 r1', 'create db-2 r1']],
    ['numbers from 5', { ordinals: { start: 5 } }, ['db-5 ready'], ['create db-6 r1']],
    ['done', {}, ['db-0 ready', 'db-1 ready', 'db-2 ready'], []],
  ]
  for (const [name, spec, pods, want] of cases) assert.deepEqual(told(set(spec), pods), want, name)
})

test('fewer: from the end', () => {
  const one = { replicas: 1 }
  const cases: readonly (readonly [string, object, readonly string[], readonly string[]])[] = [
    ['the last first', one, ['db-0 ready', 'db-1 ready', 'db-2 ready'], ['delete db-2']],
    ['waits until it is gone', one, ['db-0 ready', 'db-1 ready', 'db-2 going'], []],
    ['then the next', one, ['db-0 ready', 'db-1 ready'], ['delete db-1']],
    ['one that stays is not well: nothing goes', one, ['db-0 starting', 'db-1 ready'], []],
    ['the one that goes is not well', one, ['db-0 ready', 'db-1 starting'], ['delete db-1']],
    ['one before it is not well: that first', one, ['db-0 ready', 'db-1 starting', 'db-2 starting'], []],
    [
      'all at once',
      { ...one, podManagementPolicy: 'Parallel' },
      ['db-0 ready', 'db-1 ready', 'db-2 ready'],
      ['delete db-2', 'delete db-1'],
    ],
    ['to nothing', { replicas: 0 }, ['db-0 ready'], ['delete db-0']],
  ]
  for (const [name, spec, pods, want] of cases) assert.deepEqual(told(set(spec), pods), want, name)
})

test('an update: from the end, one at a time', () => {
  const rolling = (rollingUpdate: object) => ({
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0, ...rollingUpdate } },
  })
  const all = ['db-0 ready', 'db-1 ready', 'db-2 ready']
  const cases: readonly (readonly [string, object, readonly string[], readonly string[]])[] = [
    ['the last goes', {}, all, ['delete db-2']],
    ['it comes back new', {}, ['db-0 ready', 'db-1 ready'], ['create db-2 r2']],
    ['waits for it', {}, ['db-0 ready', 'db-1 ready', 'db-2 starting@r2'], []],
    ['the next', {}, ['db-0 ready', 'db-1 ready', 'db-2 ready@r2'], ['delete db-1']],
    ['down to the partition', rolling({ partition: 2 }), ['db-0 ready', 'db-1 ready', 'db-2 ready@r2'], []],
    [
      'below the partition it comes back as it was',
      rolling({ partition: 2 }),
      ['db-0 ready', 'db-2 ready@r2'],
      ['create db-1 r1'],
    ],
    ['two at a time', rolling({ maxUnavailable: 2 }), all, ['delete db-2', 'delete db-1']],
    ['only when it is deleted', { updateStrategy: { type: 'OnDelete' } }, all, []],
    [
      'only when it is deleted: then new',
      { updateStrategy: { type: 'OnDelete' } },
      ['db-0 ready', 'db-1 ready'],
      ['create db-2 r2'],
    ],
  ]
  for (const [name, spec, pods, want] of cases)
    assert.deepEqual(told(set(spec), pods, { update: { name: 'r2', template } }), want, name)
})

test('a pod of its own', () => {
  const one = set({ volumeClaimTemplates: [claimTemplate] })
  const withVolume = {
    ...template,
    spec: {
      ...template.spec,
      volumes: [
        { name: 'data', emptyDir: {} },
        { name: 'tmp', emptyDir: {} },
      ],
    },
  }
  const { metadata, spec } = podOf(one, 1, withVolume, 'r1')
  assert.deepEqual(metadata?.labels, labels('db-1', 'r1'))
  assert.deepEqual([metadata?.name, metadata?.ownerReferences], ['db-1', ownedBy(statefulSets, 'db')])
  assert.deepEqual([spec?.hostname, spec?.subdomain], ['db-1', 'db'])
  assert.deepEqual(spec?.volumes, [
    { name: 'data', persistentVolumeClaim: { claimName: 'data-db-1' } },
    { name: 'tmp', emptyDir: {} },
  ])
})

const claim = (name: string, metadata: object = {}) =>
  ({ metadata: { ...meta(name), ...metadata }, spec: {} }) as Stored<PersistentVolumeClaim>

test('claims come with the pod', () => {
  const one = set({ volumeClaimTemplates: [claimTemplate] })
  const state = {
    set: one,
    pods: [],
    current: { name: 'r1', template },
    update: { name: 'r1', template },
    nowMs: epochMs,
  }
  const [step] = planStatefulSet({ ...state, claimNamed: () => undefined }).steps
  const [made, event, podAct] = step?.acts ?? []
  assert.deepEqual(made?.kind === 'create' && made.object, {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'data-db-0', namespace: 'default', labels: { app: 'db' } },
    spec: claimTemplate.spec,
  })
  assert.equal(event?.kind === 'event' && event.message, 'create Claim data-db-0 Pod db-0 in StatefulSet db success')
  assert.equal(podAct?.kind, 'create')
  const there = planStatefulSet({ ...state, claimNamed: claim }).steps[0]
  assert.equal(there?.acts.length, 1, 'the claim of a pod that was there before is used again')
  const going = planStatefulSet({ ...state, claimNamed: (name) => claim(name, { deletionTimestamp: at(1) }) })
  assert.deepEqual(going.steps, [], 'waits until an old claim is gone')
})

test('whom the claims belong to', () => {
  const policy = (whenDeleted: string, whenScaled: string) => ({
    volumeClaimTemplates: [claimTemplate],
    replicas: 1,
    persistentVolumeClaimRetentionPolicy: { whenDeleted, whenScaled },
  })
  const owners = (spec: object, pods: readonly string[]) => {
    const { steps } = planStatefulSet({
      set: set(spec),
      pods: pods.map(made),
      claimNamed: claim,
      current: { name: 'r1', template },
      update: { name: 'r1', template },
      nowMs: epochMs,
    })
    return steps.flatMap(({ acts }) =>
      acts.flatMap((act) =>
        act.kind === 'patch'
          ? [
              `${act.target.name}: ${(act.patch as PersistentVolumeClaim).metadata?.ownerReferences?.map(({ kind }) => kind)}`,
            ]
          : [],
      ),
    )
  }
  assert.deepEqual(owners(policy('Retain', 'Retain'), ['db-0 ready', 'db-1 ready']), [])
  assert.deepEqual(owners(policy('Delete', 'Retain'), ['db-0 ready']), ['data-db-0: StatefulSet'])
  assert.deepEqual(owners(policy('Retain', 'Delete'), ['db-0 ready', 'db-1 ready']), ['data-db-1: Pod'])
  assert.deepEqual(owners(policy('Delete', 'Delete'), ['db-0 ready', 'db-1 ready']), [
    'data-db-0: StatefulSet',
    'data-db-1: Pod',
  ])
})

test('status', () => {
  const pods = ['db-0 ready', 'db-1 starting@r2', 'db-2 going@r2'].map(made)
  assert.deepEqual(statefulSetStatus(set(), pods, 'r1', 'r2', epochMs), {
    observedGeneration: 1,
    replicas: 3,
    readyReplicas: 2,
    currentReplicas: 1,
    updatedReplicas: 1,
    currentRevision: 'r1',
    updateRevision: 'r2',
    collisionCount: 0,
    availableReplicas: 2,
  })
  const done = statefulSetStatus(
    set(),
    ['db-0 ready@r2', 'db-1 ready@r2', 'db-2 ready@r2'].map(made),
    'r1',
    'r2',
    epochMs,
  )
  assert.deepEqual([done.currentRevision, done.currentReplicas], ['r2', 3])
})

test('events', () => {
  const event = stepEvent(set(), { verb: 'create', pod: 'db-0', acts: [] })
  assert.deepEqual(event.kind === 'event' && [event.reason, event.message], [
    'SuccessfulCreate',
    'create Pod db-0 in StatefulSet db successful',
  ])
  const failed = stepEvent(set(), { verb: 'delete', pod: 'db-0', acts: [] }, 'no')
  assert.deepEqual(failed.kind === 'event' && [failed.reason, failed.message], [
    'FailedDelete',
    'delete Pod db-0 in StatefulSet db failed error: no',
  ])
})
