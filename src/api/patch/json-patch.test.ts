import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { applyJsonPatch } from '#api/patch/json-patch.ts'
import type { JsonObject } from '#api/patch/patched.ts'

function patch(object: JsonObject, operations: unknown): unknown {
  const before = JSON.stringify(object)
  const result = applyJsonPatch(object, operations)
  assert.equal(JSON.stringify(object), before, 'nothing is changed in place')
  return result.kind === 'ok' ? result.value : result.status.code
}

// RFC 6902, appendix A, and the habits of Kubernetes' library (evanphx/json-patch 4).
const cases: [string, JsonObject, unknown, unknown][] = [
  ['add a field', { a: 1 }, [{ op: 'add', path: '/b', value: 2 }], { a: 1, b: 2 }],
  ['add an element', { a: [1, 3] }, [{ op: 'add', path: '/a/1', value: 2 }], { a: [1, 2, 3] }],
  ['add at the end', { a: [1] }, [{ op: 'add', path: '/a/-', value: 2 }], { a: [1, 2] }],
  ['add from the end', { a: [1, 3] }, [{ op: 'add', path: '/a/-1', value: 2 }], { a: [1, 3, 2] }],
  ['add beyond the end', { a: [1] }, [{ op: 'add', path: '/a/3', value: 2 }], 422],
  ['add without a parent', {}, [{ op: 'add', path: '/a/b', value: 2 }], 422],
  ['remove', { a: { b: 1, c: 2 } }, [{ op: 'remove', path: '/a/b' }], { a: { c: 2 } }],
  ['remove from the end', { a: [1, 2] }, [{ op: 'remove', path: '/a/-1' }], { a: [1] }],
  ['remove what is not there', {}, [{ op: 'remove', path: '/a' }], 422],
  ['replace', { a: [1, 2] }, [{ op: 'replace', path: '/a/0', value: 9 }], { a: [9, 2] }],
  ['replace what is not there', {}, [{ op: 'replace', path: '/a', value: 9 }], { a: 9 }],
  ['replace all', { a: 1 }, [{ op: 'replace', path: '', value: { b: 2 } }], { b: 2 }],
  ['replace all with what is no object', { a: 1 }, [{ op: 'replace', path: '', value: [] }], 422],
  ['move', { a: { b: 1 }, c: {} }, [{ op: 'move', from: '/a/b', path: '/c/d' }], { a: {}, c: { d: 1 } }],
  ['copy', { a: { b: [1] } }, [{ op: 'copy', from: '/a/b', path: '/c' }], { a: { b: [1] }, c: [1] }],
  [
    'test',
    { a: { b: [1, { c: 2 }] } },
    [{ op: 'test', path: '/a', value: { b: [1, { c: 2 }] } }],
    { a: { b: [1, { c: 2 }] } },
  ],
  ['test that fails', { a: 1 }, [{ op: 'test', path: '/a', value: 2 }], 422],
  ['test of what is not there for null', {}, [{ op: 'test', path: '/a', value: null }], {}],
  ['test of an empty list for null', { a: [] }, [{ op: 'test', path: '/a', value: null }], 422],
  ['escapes', { 'a/b': { '~': 1 } }, [{ op: 'remove', path: '/a~1b/~0' }], { 'a/b': {} }],
  [
    'one after the other',
    { a: 1 },
    [
      { op: 'add', path: '/b', value: {} },
      { op: 'add', path: '/b/c', value: 1 },
    ],
    { a: 1, b: { c: 1 } },
  ],
  ['unknown operation', {}, [{ op: 'grow', path: '/a' }], 422],
  ['no operation', {}, [{ path: '/a' }], 422],
  ['no list', {}, { op: 'add' }, 400],
  ['too many', {}, Array.from({ length: 10001 }, () => ({ op: 'test', path: '', value: {} })), 413],
  ['__proto__ is a field', {}, [{ op: 'add', path: '/__proto__', value: 1 }], JSON.parse('{"__proto__":1}')],
]
for (const [name, object, operations, want] of cases)
  test(`json patch: ${name}`, () => assert.deepEqual(patch(object, operations), want))

test('json patch: a patch that doubles an object again and again is refused', () => {
  const operations = Array.from({ length: 60 }, () => ({ op: 'copy', from: '/a', path: '/a/-' }))
  assert.equal(patch({ a: [1] }, operations), 422)
})
