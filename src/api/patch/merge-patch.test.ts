import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { applyMergePatch, createMergePatch } from '#api/patch/merge-patch.ts'
import type { JsonObject } from '#api/patch/patched.ts'
import { generateObject, randomFrom } from '#api/schema/generate.ts'

// The examples of RFC 7386, appendix A, as far as they are about objects.
const cases: [JsonObject, unknown, unknown][] = [
  [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
  [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
  [{ a: 'b' }, { a: null }, {}],
  [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
  [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
  [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
  [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
  [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  [{}, { a: [null, { b: null }] }, { a: [null, {}] }],
]
for (const [object, patch, want] of cases)
  test(`merge patch: ${JSON.stringify(patch)} on ${JSON.stringify(object)}`, () =>
    assert.deepEqual(applyMergePatch(object, patch), { kind: 'ok', value: want }))

test('merge patch: what is no object is refused', () => {
  const result = applyMergePatch({}, [1])
  assert.ok(result.kind === 'status')
  assert.equal(`${result.status.code} ${result.status.message}`, '400 Invalid JSON Patch')
})

test('merge patch: the patch from one object to another gives the other', () => {
  for (let seed = 0; seed < 200; seed++) {
    const random = randomFrom(seed)
    const from = generateObject('core.Pod', { random, fullness: 25 })
    const to = generateObject('core.Pod', { random, fullness: 25 })
    const before = JSON.stringify(from)
    // What is null in raw JSON cannot be said by a merge patch.
    const plain = JSON.parse(JSON.stringify(to).replaceAll('null', '0')) as JsonObject
    assert.deepEqual(applyMergePatch(from, createMergePatch(from, plain)), { kind: 'ok', value: plain }, `seed ${seed}`)
    assert.equal(JSON.stringify(from), before, 'nothing is changed in place')
  }
})
