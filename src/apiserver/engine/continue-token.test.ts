import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeContinue, encodeContinue } from '#apiserver/engine/continue-token.ts'

test('a token says where to go on', () => {
  for (const key of ['default/web', 'a', 'näme', 'ns-1/x.y'])
    assert.deepEqual(decodeContinue(encodeContinue(42, key)), { revision: 42, from: `${key}\0` })
  const upstream = 'eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6NSwic3RhcnQiOiJhL2JcdTAwMDAifQ'
  assert.deepEqual(decodeContinue(upstream), { revision: 5, from: 'a/b\0' })
})

test('what is no token', () => {
  const json = (value: unknown) => btoa(JSON.stringify(value))
  for (const token of [
    '',
    'x',
    '%%%',
    json(null),
    json({ v: 'meta.k8s.io/v2', rv: 1, start: 'a' }),
    json({ v: 'meta.k8s.io/v1', rv: 0, start: 'a' }),
    json({ v: 'meta.k8s.io/v1', rv: 1, start: '../secrets' }),
    json({ v: 'meta.k8s.io/v1', rv: 1, start: '/x' }),
    json({ v: 'meta.k8s.io/v1', rv: 1 }),
  ])
    assert.equal(decodeContinue(token), undefined, token)
})
