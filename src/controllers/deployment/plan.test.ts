import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Deployment, type ReplicaSet, deployments } from '#api/apps.ts'
import type { Pod } from '#api/core.ts'
import type { Stored } from '#api/stored.ts'
import type { Act } from '#client/control/act.ts'
import { planDeployment } from '#controllers/deployment/plan.ts'
import { at, deployment, epochMs, meta, ownedBy, replicaSet, runningPod } from '#test/stored-objects.ts'

const prefix = 'deployment.kubernetes.io/'

/** A ReplicaSet of Deployment web with the annotations that a synced one has. */
function set(
  name: string,
  image: string,
  [replicas, actual, available]: readonly [number, number, number],
  {
    wanted = 3,
    max = wanted + 1,
    revision = 1,
    age = 0,
  }: { wanted?: number; max?: number; revision?: number; age?: number } = {},
) {
  const annotations = {
    [`${prefix}revision`]: String(revision),
    [`${prefix}desired-replicas`]: String(wanted),
    [`${prefix}max-replicas`]: String(max),
  }
  return replicaSet(name, {
    image,
    metadata: { annotations, creationTimestamp: at(-age), ownerReferences: ownedBy(deployments, 'web') },
    spec: { replicas },
    status: { replicas: actual, readyReplicas: available, availableReplicas: available, observedGeneration: 1 },
  })
}

/** The acts in a line each: sizes, creations, deletions, events. Status and revision stand apart. */
function told(acts: readonly Act[]): string[] {
  return acts.flatMap((act) => {
    if (act.kind === 'event') return [`${act.reason}: ${act.message}`]
    if (act.kind === 'create') return [`create of ${(act.object as ReplicaSet).spec?.replicas}`]
    if (act.kind === 'delete') return [`delete ${act.target.name}`]
    if (act.kind !== 'patch' || act.resource.plural !== 'replicasets') return []
    const { spec } = act.patch as { spec?: { replicas?: number } }
    return spec?.replicas === undefined ? [] : [`${act.target.name} to ${spec.replicas}`]
  })
}

function statusOf(acts: readonly Act[]) {
  const act = acts.find((act) => act.kind === 'patch' && act.subresource === 'status')
  return (act?.kind === 'patch' ? (act.patch as { status: Deployment['status'] }).status : undefined) ?? {}
}

function plan(
  object: Stored<Deployment>,
  replicaSets: readonly Stored<ReplicaSet>[] = [],
  { seconds = 0, pods = [] }: { seconds?: number; pods?: readonly Stored<Pod>[] } = {},
) {
  return planDeployment({ deployment: object, replicaSets, pods, nowMs: epochMs + seconds * 1000 })
}

const sizes = (...acts: string[]) => acts.filter((act) => !act.startsWith('ScalingReplicaSet'))

test('a new Deployment makes its ReplicaSet, with a revision and the sizes that it goes by', () => {
  const { acts } = plan(deployment('web', { metadata: { annotations: { note: 'x', [`${prefix}revision`]: '7' } } }))
  const create = acts.find((act) => act.kind === 'create')
  const made = create?.kind === 'create' ? (create.object as Stored<ReplicaSet>) : assert.fail('creates nothing')
  const hash = made.metadata.labels?.['pod-template-hash'] ?? ''
  assert.match(hash, /^[bcdf4-9]{1,10}$/)
  assert.equal(made.metadata.name, `web-${hash}`)
  assert.deepEqual(made.metadata.annotations, {
    note: 'x',
    [`${prefix}revision`]: '1',
    [`${prefix}desired-replicas`]: '3',
    [`${prefix}max-replicas`]: '4',
  })
  assert.deepEqual(made.metadata.ownerReferences, ownedBy(deployments, 'web'))
  assert.deepEqual(made.spec.selector.matchLabels, { app: 'web', 'pod-template-hash': hash })
  assert.deepEqual(made.spec.template?.metadata?.labels, { app: 'web', 'pod-template-hash': hash })
  assert.deepEqual(told(acts), ['create of 3', `ScalingReplicaSet: Scaled up replica set web-${hash} from 0 to 3`])
  const status = statusOf(acts)
  assert.equal(status.observedGeneration, 1)
  assert.deepEqual(
    status.conditions?.map(({ type, status, reason, message }) => [type, status, reason, message]),
    [
      ['Progressing', 'True', 'NewReplicaSetCreated', `Created new replica set "web-${hash}"`],
      ['Available', 'False', 'MinimumReplicasUnavailable', 'Deployment does not have minimum availability.'],
    ],
  )
})

const rolling: readonly {
  readonly name: string
  readonly replicas: number
  readonly surge: number | string
  readonly unavailable: number | string
  /** [wanted, actual, available] of the new and the old ReplicaSet */
  readonly fresh?: readonly [number, number, number]
  readonly old: readonly [number, number, number]
  readonly want: readonly string[]
}[] = [
  { name: 'surge first', replicas: 4, surge: 1, unavailable: 0, old: [4, 4, 4], want: ['create of 1'] },
  {
    name: 'surge and shrink at once',
    replicas: 4,
    surge: '25%',
    unavailable: '25%',
    old: [4, 4, 4],
    want: ['create of 1', 'old-1 to 3'],
  },
  {
    name: 'no surge: shrink first',
    replicas: 2,
    surge: 0,
    unavailable: '1%',
    old: [2, 2, 2],
    want: ['create of 0', 'old-1 to 1'],
  },
  { name: 'one replica surges', replicas: 1, surge: '25%', unavailable: '25%', old: [1, 1, 1], want: ['create of 1'] },
  { name: 'waits for the new pods', replicas: 4, surge: 1, unavailable: 0, fresh: [1, 1, 0], old: [4, 4, 4], want: [] },
  {
    name: 'a new pod is available',
    replicas: 4,
    surge: 1,
    unavailable: 0,
    fresh: [1, 1, 1],
    old: [4, 4, 4],
    want: ['old-1 to 3'],
  },
  {
    name: 'room for the next',
    replicas: 4,
    surge: 1,
    unavailable: 0,
    fresh: [1, 1, 1],
    old: [3, 3, 3],
    want: ['new-1 to 2'],
  },
  {
    name: 'unavailable old pods go first, though new ones are not available',
    replicas: 4,
    surge: 1,
    unavailable: 2,
    fresh: [1, 1, 0],
    old: [4, 4, 2],
    want: ['old-1 to 2'],
  },
  {
    name: 'the new one is too large',
    replicas: 2,
    surge: 1,
    unavailable: 0,
    fresh: [3, 3, 3],
    old: [0, 0, 0],
    want: ['new-1 to 2'],
  },
  { name: 'done', replicas: 2, surge: 1, unavailable: 0, fresh: [2, 2, 2], old: [0, 0, 0], want: [] },
]

test('a rolling update step by step', () => {
  for (const { name, replicas, surge, unavailable, fresh, old, want } of rolling) {
    const strategy = { type: 'RollingUpdate', rollingUpdate: { maxSurge: surge, maxUnavailable: unavailable } }
    const web = deployment('web', { image: 'v2', spec: { replicas, strategy } })
    const of = { wanted: replicas, max: replicas + 1 }
    const sets = [set('old-1', 'v1', old, of), ...(fresh ? [set('new-1', 'v2', fresh, { ...of, revision: 2 })] : [])]
    assert.deepEqual(sizes(...told(plan(web, sets).acts)), want, name)
  }
})

test('Recreate: first all old pods go, then the new ones come', () => {
  const web = deployment('web', { image: 'v2', spec: { strategy: { type: 'Recreate' } } })
  const of = { max: 3 }
  assert.deepEqual(sizes(...told(plan(web, [set('old-1', 'v1', [3, 3, 3], of)]).acts)), ['old-1 to 0'])
  assert.deepEqual(sizes(...told(plan(web, [set('old-1', 'v1', [0, 1, 0], of)]).acts)), [])
  const leaving = runningPod('p', 'node-1', '10.244.0.2', { metadata: { ownerReferences: [] } })
  assert.deepEqual(sizes(...told(plan(web, [set('old-1', 'v1', [0, 0, 0], of)], { pods: [leaving] }).acts)), [])
  assert.deepEqual(sizes(...told(plan(web, [set('old-1', 'v1', [0, 0, 0], of)]).acts)), ['create of 3'])
})

test('a change of size in mid-rollout is shared out in proportion', () => {
  const strategy = { type: 'RollingUpdate', rollingUpdate: { maxSurge: 2, maxUnavailable: 2 } }
  const cases: readonly (readonly [string, number, number, number, readonly string[]])[] = [
    ['up', 20, 8, 4, ['old-1 to 15', 'new-1 to 7']],
    ['down', 5, 8, 4, ['old-1 to 5', 'new-1 to 2']],
    ['to nothing', 0, 8, 4, ['old-1 to 0', 'new-1 to 0']],
  ]
  for (const [name, replicas, old, fresh, want] of cases) {
    const web = deployment('web', { image: 'v2', spec: { replicas, strategy } })
    const of = { wanted: 10, max: 12 }
    const sets = [
      set('old-1', 'v1', [old, old, old], of),
      set('new-1', 'v2', [fresh, fresh, 0], { ...of, revision: 2 }),
    ]
    assert.deepEqual(sizes(...told(plan(web, sets).acts)), want, name)
  }
})

test('only one ReplicaSet is active: a change of size is all its own', () => {
  const sets = [set('web-1', 'v1', [3, 3, 3])]
  assert.deepEqual(told(plan(deployment('web', { spec: { replicas: 5 } }), sets).acts), [
    'web-1 to 5',
    'ScalingReplicaSet: Scaled up replica set web-1 from 3 to 5',
  ])
})

test('a paused Deployment scales, but a new template waits', () => {
  const web = deployment('web', { image: 'v2', spec: { paused: true, replicas: 2 } })
  const { acts } = plan(web, [set('web-1', 'v1', [3, 3, 3])])
  assert.deepEqual(sizes(...told(acts)), ['web-1 to 2'])
  const [paused] = statusOf(acts).conditions ?? []
  assert.deepEqual(
    [paused?.status, paused?.reason, paused?.message],
    ['Unknown', 'DeploymentPaused', 'Deployment is paused'],
  )
  const resumed = deployment('web', { status: { conditions: [paused] } })
  const [again] = statusOf(plan(resumed, [set('web-1', 'v1', [3, 3, 3])], { seconds: 9999 }).acts).conditions ?? []
  assert.notEqual(again?.reason, 'ProgressDeadlineExceeded')
})

test('back to an old template: its ReplicaSet gets the next revision and remembers the old one', () => {
  const web = deployment('web', { image: 'v1', metadata: { annotations: { [`${prefix}revision`]: '2' } } })
  const { acts } = plan(web, [set('web-1', 'v1', [0, 0, 0]), set('web-2', 'v2', [3, 3, 3], { revision: 2 })])
  const amended = acts.find((act) => act.kind === 'patch' && act.target.name === 'web-1')
  const { metadata } = (amended?.kind === 'patch' ? amended.patch : {}) as ReplicaSet
  assert.equal(metadata?.annotations?.[`${prefix}revision`], '3')
  assert.equal(metadata?.annotations?.[`${prefix}revision-history`], '1')
  const carried = acts.find((act) => act.kind === 'patch' && act.target.name === 'web' && !act.subresource)
  assert.deepEqual(carried?.kind === 'patch' && carried.patch, {
    metadata: { annotations: { [`${prefix}revision`]: '3' } },
  })
})

test('progress: complete, going on, out of time', () => {
  const progressing = (reason: string, seconds: number) => ({
    conditions: [
      {
        type: 'Progressing',
        status: 'True',
        reason,
        lastUpdateTime: at(seconds),
        lastTransitionTime: at(0),
        message: '',
      },
    ],
  })
  const cases: readonly (readonly [
    string,
    Record<string, unknown>,
    readonly [number, number, number],
    number,
    string,
    string,
    string,
  ])[] = [
    [
      'all available',
      { ...progressing('ReplicaSetUpdated', 0), replicas: 3, updatedReplicas: 3, availableReplicas: 2 },
      [3, 3, 3],
      30,
      'True',
      'NewReplicaSetAvailable',
      'ReplicaSet "web-1" has successfully progressed.',
    ],
    [
      'one more is ready',
      {
        ...progressing('ReplicaSetUpdated', 0),
        replicas: 3,
        updatedReplicas: 3,
        readyReplicas: 1,
        availableReplicas: 1,
      },
      [3, 3, 2],
      30,
      'True',
      'ReplicaSetUpdated',
      'ReplicaSet "web-1" is progressing.',
    ],
    [
      'nothing in ten minutes',
      {
        ...progressing('ReplicaSetUpdated', 0),
        replicas: 3,
        updatedReplicas: 3,
        readyReplicas: 2,
        availableReplicas: 2,
      },
      [3, 3, 2],
      601,
      'False',
      'ProgressDeadlineExceeded',
      'ReplicaSet "web-1" has timed out progressing.',
    ],
    [
      'was complete: a pod that fails later is no rollout that fails',
      {
        ...progressing('NewReplicaSetAvailable', 0),
        replicas: 3,
        updatedReplicas: 3,
        readyReplicas: 3,
        availableReplicas: 3,
      },
      [3, 3, 1],
      9999,
      'True',
      'NewReplicaSetAvailable',
      '',
    ],
  ]
  for (const [name, status, counts, seconds, state, reason, message] of cases) {
    const { acts } = plan(deployment('web', { status }), [set('web-1', 'v1', counts)], { seconds })
    const got = statusOf(acts).conditions?.find(({ type }) => type === 'Progressing')
    assert.deepEqual([got?.status, got?.reason, got?.message], [state, reason, message], name)
  }
})

test('looks again when the deadline has passed', () => {
  const status = {
    conditions: [{ type: 'Progressing', status: 'True', reason: 'ReplicaSetUpdated', lastUpdateTime: at(0) }],
  }
  const web = deployment('web', { status: { ...status, replicas: 3, updatedReplicas: 3 } })
  assert.equal(plan(web, [set('web-1', 'v1', [3, 3, 0])], { seconds: 400 }).againAfterMs, 201_000)
})

test('old ReplicaSets beyond the history limit go, oldest first, once all is done', () => {
  const status = { observedGeneration: 1, replicas: 3, updatedReplicas: 3, availableReplicas: 3 }
  const web = deployment('web', { image: 'v4', spec: { revisionHistoryLimit: 1 }, status })
  const sets = [
    set('web-1', 'v1', [0, 0, 0], { revision: 1 }),
    set('web-2', 'v2', [0, 0, 0], { revision: 2 }),
    set('web-3', 'v3', [0, 0, 0], { revision: 3 }),
    set('web-4', 'v4', [3, 3, 3], { revision: 4 }),
  ]
  assert.deepEqual(told(plan(web, sets).acts), ['delete web-1', 'delete web-2'])
})

test('a steady Deployment writes nothing', () => {
  const sets = [set('web-1', 'v1', [3, 3, 3])]
  const first = plan(deployment('web'), sets).acts
  const status = statusOf(first)
  const web = deployment('web', { metadata: { annotations: { [`${prefix}revision`]: '1' } }, status })
  assert.deepEqual(plan(web, sets).acts, [])
})

test('a failure to make pods shows on the Deployment', () => {
  const failure = {
    type: 'ReplicaFailure',
    status: 'True',
    reason: 'FailedCreate',
    message: 'quota',
    lastTransitionTime: at(5),
  }
  const failing = set('web-1', 'v1', [3, 0, 0])
  const sets = [{ ...failing, status: { ...failing.status!, conditions: [failure] } }]
  const got = statusOf(plan(deployment('web'), sets).acts).conditions?.find(({ type }) => type === 'ReplicaFailure')
  assert.deepEqual(got, { ...failure, lastUpdateTime: at(5) })
})

test('the old annotation asks for a rollback', () => {
  const annotations = { 'deprecated.deployment.rollback.to': '1', [`${prefix}revision`]: '2', 'change-cause': 'edit' }
  const web = deployment('web', { image: 'v2', metadata: { annotations } })
  const one = set('web-1', 'v1', [0, 0, 0])
  const first = {
    ...one,
    metadata: { ...one.metadata, annotations: { ...one.metadata.annotations, 'change-cause': 'create' } },
  }
  const { acts } = plan(web, [first, set('web-2', 'v2', [3, 3, 3], { revision: 2 })])
  const update = acts.find((act) => act.kind === 'update')
  const after = (update?.kind === 'update' ? update.object : {}) as Deployment
  assert.equal(after.spec?.template.spec?.containers[0]?.image, 'v1')
  assert.deepEqual(after.spec?.template.metadata?.labels, { app: 'web' })
  assert.deepEqual(after.metadata?.annotations, { [`${prefix}revision`]: '2', 'change-cause': 'create' })
  assert.deepEqual(told(acts), ['DeploymentRollback: Rolled back deployment "web" to revision 1'])
})

test('on its way out it only counts', () => {
  const web = deployment('web', { image: 'v2', metadata: { ...meta('web'), deletionTimestamp: at(1) } })
  assert.deepEqual(told(plan(web, [set('web-1', 'v1', [3, 3, 3])]).acts), [])
})
