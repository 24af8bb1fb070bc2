import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { equalJson } from '#lib/equal.ts'

const cases: readonly (readonly [string, unknown, unknown, boolean])[] = [
  ['numbers', 1, 1, true],
  ['text and number', '1', 1, false],
  ['order of keys', { a: 1, b: [2] }, { b: [2], a: 1 }, true],
  ['an undefined field', { a: undefined }, {}, true],
  ['a null field', { a: null }, {}, true],
  ['an empty list', { a: [] }, {}, true],
  ['an empty object is not nothing', { emptyDir: {} }, {}, false],
  ['order of items', [1, 2], [2, 1], false],
  ['a list and a text', ['a'], 'a', false],
  ['an empty list and a text', [], '', false],
  ['deep', { a: { b: { c: 1 } } }, { a: { b: { c: 2 } } }, false],
]

test('equalJson', () => {
  for (const [name, a, b, want] of cases) {
    assert.equal(equalJson(a, b), want, name)
    assert.equal(equalJson(b, a), want, `${name}, swapped`)
  }
})
