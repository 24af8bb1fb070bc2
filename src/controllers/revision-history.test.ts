import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ControllerRevision, statefulSets } from '#api/apps.ts'
import type { Stored } from '#api/stored.ts'
import { type Owner, dataOf, planRevision, planTruncation, templateOf } from '#controllers/revision-history.ts'
import { meta, ownedBy } from '#test/stored-objects.ts'

const template = (image: string) => ({
  metadata: { labels: { app: 'db' } },
  spec: { containers: [{ name: 'c', image }] },
})
const owner = (image: string, more: object = {}) =>
  ({ metadata: meta('db'), spec: { template: template(image), ...more } }) as unknown as Owner
const revision = (name: string, image: string, number: number) =>
  ({ metadata: meta(name), data: dataOf(template(image)), revision: number }) as Stored<ControllerRevision>

test('the first revision', () => {
  const plan = planRevision(statefulSets, owner('v1'), [])
  const made = (plan.kind === 'act' && plan.act.kind === 'create' ? plan.act.object : undefined) as ControllerRevision
  const hash = made.metadata?.labels?.['controller-revision-hash']
  assert.equal(made.metadata?.name, `db-${hash}`)
  assert.deepEqual(made.metadata?.ownerReferences, ownedBy(statefulSets, 'db'))
  assert.deepEqual(made.data, { spec: { template: { ...template('v1'), $patch: 'replace' } } })
  assert.deepEqual(templateOf(made), template('v1'))
  assert.equal(made.revision, 1)
})

test('the same, another, and back again', () => {
  const both = [revision('db-1', 'v1', 1), revision('db-2', 'v2', 2)]
  const same = planRevision(statefulSets, owner('v2'), both)
  assert.equal(same.kind === 'current' && same.revision.metadata.name, 'db-2')
  const next = planRevision(statefulSets, owner('v3'), both)
  assert.equal(next.kind === 'act' && next.act.kind === 'create' && (next.act.object as ControllerRevision).revision, 3)
  const back = planRevision(statefulSets, owner('v1'), both)
  assert.deepEqual(back.kind === 'act' && back.act.kind === 'patch' && [back.act.target.name, back.act.patch], [
    'db-1',
    { revision: 3 },
  ])
})

test('old revisions go, live ones stay', () => {
  const all = [1, 2, 3, 4].map((n) => revision(`db-${n}`, `v${n}`, n))
  const acts = planTruncation(owner('v4', { revisionHistoryLimit: 1 }), all, new Set(['db-4', 'db-1']))
  assert.deepEqual(
    acts.map((act) => act.kind === 'delete' && act.target.name),
    ['db-2'],
  )
})
