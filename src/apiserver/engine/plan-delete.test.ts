import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ApiObject, DeleteOptions, ObjectMeta } from '#api/meta.ts'
import { planDelete } from '#apiserver/engine/plan-delete.ts'
import type { Kind } from '#apiserver/kind.ts'

const nowMs = Date.UTC(2026, 10, 21)
const base = {
  resource: { group: '', version: 'v1', plural: 'things', kind: 'Thing', namespaced: true },
  type: 'core.ConfigMap',
  singular: 'thing',
  columns: [],
  row: () => [],
}
const plain: Kind = base
const graceful: Kind = { ...base, graceful: (_object, { gracePeriodSeconds }) => gracePeriodSeconds ?? 30 }
const held: Kind = { ...base, isHeld: () => true, prepareDelete: (object) => ({ ...object, kind: 'Prepared' }) }
const orphaning: Kind = { ...base, orphanByDefault: true }

type Row = [name: string, kind: Kind, metadata: ObjectMeta, options: DeleteOptions, want: string]
const dying = { deletionTimestamp: '2026-11-21T00:00:30Z', deletionGracePeriodSeconds: 30 }
// want: what is done, and of a marked object its end, grace, generation and finalizers
const table: readonly Row[] = [
  ['nothing holds it', plain, {}, {}, 'remove'],
  [
    'background takes propagation finalizers off',
    plain,
    { finalizers: ['orphan'] },
    { propagationPolicy: 'Background' },
    'remove',
  ],
  ['a finalizer holds it', plain, { finalizers: ['a/b'], generation: 1 }, {}, 'mark 00:00:00 0 2 a/b'],
  ['foreground', plain, {}, { propagationPolicy: 'Foreground' }, 'mark 00:00:00 0 - foregroundDeletion'],
  ['orphan', plain, {}, { propagationPolicy: 'Orphan' }, 'mark 00:00:00 0 - orphan'],
  ['the old way to orphan', plain, {}, { orphanDependents: true }, 'mark 00:00:00 0 - orphan'],
  ['orphaned by default', orphaning, {}, {}, 'mark 00:00:00 0 - orphan'],
  ['marked already', plain, { ...dying, deletionGracePeriodSeconds: 0, finalizers: ['a/b'] }, {}, 'nothing'],
  [
    'marked, now in the foreground',
    plain,
    { ...dying, deletionGracePeriodSeconds: 0, finalizers: ['a/b'] },
    { propagationPolicy: 'Foreground' },
    'mark 00:00:30 0 - a/b,foregroundDeletion',
  ],
  ['grace', graceful, { generation: 3 }, {}, 'mark 00:00:30 30 4 -'],
  ['grace as asked', graceful, {}, { gracePeriodSeconds: 5 }, 'mark 00:00:05 5 - -'],
  ['less than no grace is a second', graceful, {}, { gracePeriodSeconds: -7 }, 'mark 00:00:01 1 - -'],
  ['no grace', graceful, {}, { gracePeriodSeconds: 0 }, 'remove'],
  ['no grace, but a finalizer', graceful, { finalizers: ['a/b'] }, { gracePeriodSeconds: 0 }, 'mark 00:00:00 0 - a/b'],
  ['ends already', graceful, dying, {}, 'nothing'],
  ['cannot be longer', graceful, dying, { gracePeriodSeconds: 60 }, 'nothing'],
  ['can be shorter', graceful, dying, { gracePeriodSeconds: 10 }, 'mark 00:00:10 10 - -'],
  ['the agent is done', graceful, dying, { gracePeriodSeconds: 0 }, 'remove'],
  ['held by its own rule', held, {}, {}, 'mark 00:00:00 0 - - Prepared'],
]

test('what a DELETE does', () => {
  for (const [name, kind, metadata, options, want] of table) {
    const object: ApiObject = { metadata: { name: 'x', ...metadata } }
    const plan = planDelete(kind, object, options, nowMs)
    assert.equal(plan.kind === 'mark' ? `mark ${shape(plan.object)}` : plan.kind, want, name)
  }
})

function shape({ kind = '', metadata = {} }: ApiObject): string {
  const { deletionTimestamp = '', deletionGracePeriodSeconds, generation = '-', finalizers = ['-'] } = metadata
  return `${deletionTimestamp.slice(11, 19)} ${deletionGracePeriodSeconds} ${generation} ${finalizers.join(',')} ${kind}`.trim()
}
