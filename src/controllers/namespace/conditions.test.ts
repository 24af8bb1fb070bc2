import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { deployments } from '#api/apps.ts'
import { pods } from '#api/core.ts'
import { removalConditions } from '#controllers/namespace/conditions.ts'
import { at, epochMs } from '#test/stored-objects.ts'

const done = { remaining: [], errors: [] }
const brief = (conditions: ReturnType<typeof removalConditions>) =>
  conditions.map(({ type, status, reason, message }) => `${type}=${status} ${reason}: ${message}`)

test('all is gone', () => {
  const conditions = removalConditions([], done, epochMs)
  assert.deepEqual(brief(conditions), [
    'NamespaceDeletionDiscoveryFailure=False ResourcesDiscovered: All resources successfully discovered',
    'NamespaceDeletionGroupVersionParsingFailure=False ParsedGroupVersions: All legacy kube types successfully parsed',
    'NamespaceDeletionContentFailure=False ContentDeleted: All content successfully deleted, may be waiting on finalization',
    'NamespaceContentRemaining=False ContentRemoved: All content successfully removed',
    'NamespaceFinalizersRemaining=False ContentHasNoFinalizers: All content-preserving finalizers finished',
  ])
  assert.equal(removalConditions(conditions, done, epochMs + 5000), conditions, 'nothing new')
})

test('some remain', () => {
  const before = removalConditions([], done, epochMs)
  const remaining = [
    { resource: pods, count: 2, finalizers: new Map([['a/b', 1]]) },
    {
      resource: deployments,
      count: 1,
      finalizers: new Map([
        ['a/b', 1],
        ['c', 1],
      ]),
    },
  ]
  const after = removalConditions(
    before,
    { remaining, errors: ['x', 'a'], discoveryError: 'no answer' },
    epochMs + 5000,
  )
  assert.deepEqual(brief(after.filter(({ status }) => status === 'True')), [
    'NamespaceDeletionDiscoveryFailure=True DiscoveryFailed: no answer',
    'NamespaceDeletionContentFailure=True ContentDeletionFailed: Failed to delete all resource types, 2 remaining: a, x',
    'NamespaceContentRemaining=True SomeResourcesRemain: Some resources are remaining: deployments.apps has 1 resource instances, pods. has 2 resource instances',
    'NamespaceFinalizersRemaining=True SomeFinalizersRemain: Some content in the namespace has finalizers remaining: a/b in 2 resource instances, c in 1 resource instances',
  ])
  assert.deepEqual(
    after.map(({ lastTransitionTime }) => lastTransitionTime),
    [at(5), at(0), at(5), at(5), at(5)],
  )
})
