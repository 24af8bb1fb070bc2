import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatFieldError } from '#api/field-error.ts'
import type { ObjectMeta } from '#api/meta.ts'
import { checkMetadata, checkMetadataUpdate, generateName, isNewGeneration } from '#apiserver/engine/metadata.ts'

const owner = { apiVersion: 'v1', kind: 'Pod', name: 'p', uid: 'u' }
const table: readonly [name: string, metadata: ObjectMeta, want: readonly string[]][] = [
  ['right', { name: 'a', namespace: 'b', labels: { 'a/b': 'c' }, finalizers: ['a/b', 'orphan'] }, []],
  ['no name', { namespace: 'b' }, ['metadata.name: Required value: name or generateName is required']],
  ['no namespace', { name: 'a' }, ['metadata.namespace: Required value']],
  [
    'a namespace with a dot',
    { name: 'a', namespace: 'a.b' },
    ['metadata.namespace: Invalid value: "a.b": must not contain dots'],
  ],
  [
    'finalizers',
    { name: 'a', namespace: 'b', finalizers: ['mine', 'orphan', 'foregroundDeletion'] },
    [
      'metadata.finalizers: Invalid value: ["mine","orphan","foregroundDeletion"]: finalizer orphan and foregroundDeletion cannot be both set',
      'metadata.finalizers[0]: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified',
    ],
  ],
  [
    'an Event as owner',
    { name: 'a', namespace: 'b', ownerReferences: [{ ...owner, kind: 'Event' }] },
    [
      `metadata.ownerReferences: Invalid value: ${JSON.stringify({ ...owner, kind: 'Event' })}: /v1, Kind=Event is disallowed from being an owner`,
    ],
  ],
  [
    'owners',
    { name: 'a', namespace: 'b', ownerReferences: [{ ...owner, uid: '' }] },
    ['metadata.ownerReferences.uid: Invalid value: "": must not be empty'],
  ],
  [
    'large annotations',
    { name: 'a', namespace: 'b', annotations: { a: 'x'.repeat(300_000) } },
    ['metadata.annotations: Too long: may not be more than 262144 bytes'],
  ],
]

test('what is wrong with metadata', () => {
  for (const [name, metadata, want] of table)
    assert.deepEqual(checkMetadata(metadata, true).map(formatFieldError), want, name)
  const both = [
    { ...owner, controller: true },
    { ...owner, name: 'q', controller: true },
  ]
  const [twice] = checkMetadata({ name: 'a', namespace: 'b', ownerReferences: both }, true)
  assert.match(
    twice!.detail,
    /^Only one reference can have Controller set to true\. Found "true" in references for Pod\/p and Pod\/q$/,
  )
  assert.deepEqual(checkMetadata({ name: 'a', namespace: 'b' }, false).map(formatFieldError), [
    'metadata.namespace: Forbidden: not allowed on this type',
  ])
})

test('what an update may not change', () => {
  const old = { name: 'a', namespace: 'b', uid: 'u' }
  assert.deepEqual(checkMetadataUpdate({ ...old }, old), [])
  assert.deepEqual(checkMetadataUpdate({ ...old, name: 'x' }, old).map(formatFieldError), [
    'metadata.name: Invalid value: "x": field is immutable',
  ])
})

test('generated names', () => {
  let next = 0
  const random = (below: number) => next++ % below
  assert.equal(generateName('web-', random), 'web-bcdfg')
  assert.equal(generateName('x'.repeat(80), random).length, 63)
})

test('which changes are a new generation', () => {
  const old = { metadata: { name: 'a', labels: {} }, spec: { a: 1 }, status: { b: 1 } }
  const rows = [
    ['spec', { ...old, spec: { a: 2 } }, true],
    ['spec', { ...old, status: { b: 2 } }, false],
    ['spec', { ...old, metadata: { name: 'a', labels: { c: 'd' } } }, false],
    ['content', { ...old, other: 1 }, true],
    ['content', { ...old, status: { b: 2 } }, false],
    [undefined, { ...old, spec: { a: 2 } }, false],
  ] as const
  for (const [rule, object, want] of rows)
    assert.equal(isNewGeneration(rule, object, old), want, JSON.stringify(object))
})
