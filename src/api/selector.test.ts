import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import * as selector from '#api/selector.ts'

const parsed = (text: string) => {
  const result = selector.parseLabelSelector(text)
  return result.kind === 'ok' ? selector.formatRequirements(result.value) : `error: ${result.message}`
}

// The upstream rules: apimachinery's labels/selector.go and its tests, release 1.36.
const texts: [string, string][] = [
  ['', ''],
  ['x=a,y=b,z=c', 'x=a,y=b,z=c'],
  ['z=c, x = a', 'x=a,z=c'],
  ['x=', 'x='],
  ['x= ,z= ', 'x=,z='],
  ['x==a', 'x==a'],
  ['x!=a', 'x!=a'],
  ['!x', '!x'],
  ['x', 'x'],
  ['x>1,z<5', 'x>1,z<5'],
  ['in in (in, notin)', 'in in (in,notin)'],
  ['x notin (b, a,)', 'x notin (,a,b)'],
  ['x in ()', 'x in ()'],
  ['x in (a,b),y', 'x in (a,b),y'],
  ['example.com/x=a', 'example.com/x=a'],
  [
    'x=a||y=b',
    "error: unable to parse requirement: values[0][x]: Invalid value: \"a||y\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
  ],
  ['x==a==b', "error: found '==', expected: ',' or 'end of string'"],
  ['!x=a', "error: found '=', expected: ',' or 'end of string'"],
  [
    'x<a',
    "error: unable to parse requirement: values[0]: Invalid value: \"a\": for 'Gt', 'Lt' operators, the value must be an integer",
  ],
  ['x a', "error: unable to parse requirement: found 'a', expected: in, notin, =, ==, !=, gt, lt"],
  ['a,', "error: found '', expected: identifier after ','"],
  [',a', "error: found ',', expected: !, identifier, or 'end of string'"],
  ['=a', "error: found '=', expected: !, identifier, or 'end of string'"],
  ['x in a', "error: unable to parse requirement: found 'a' expected: '('"],
  ['x in (a', "error: unable to parse requirement: found '', expected: ',' or ')'"],
  ['x in (a b)', "error: unable to parse requirement: found 'b', expected: ',' or ')'"],
  [
    '*bar=1',
    "error: unable to parse requirement: <nil>: Invalid value: \"*bar\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
  ],
]
for (const [text, want] of texts) test(`selector text: ${JSON.stringify(text)}`, () => assert.equal(parsed(text), want))

const matches: [string, Record<string, string>, boolean][] = [
  ['', {}, true],
  ['x=a', { x: 'a' }, true],
  ['x=a', { x: 'b' }, false],
  ['x=a', {}, false],
  ['x!=a', {}, true],
  ['x!=a', { x: 'a' }, false],
  ['x in (a,b)', { x: 'b' }, true],
  ['x in (a,b)', {}, false],
  ['x notin (a,b)', {}, true],
  ['x notin (a,b)', { x: 'b' }, false],
  ['x', { x: '' }, true],
  ['!x', { x: '' }, false],
  ['!x', {}, true],
  ['x>1', { x: '2' }, true],
  ['x>1', { x: '1' }, false],
  ['x>1', { x: 'two' }, false],
  ['x<9223372036854775807', { x: '9223372036854775806' }, true],
  ['x=a,y=b', { x: 'a' }, false],
]
for (const [text, labels, want] of matches)
  test(`selector match: ${text} ${JSON.stringify(labels)}`, () => {
    const result = selector.parseLabelSelector(text)
    assert.ok(result.kind === 'ok')
    assert.equal(selector.matchLabels(result.value, labels), want)
  })

test('selector of an object: none selects nothing, an empty one everything', () => {
  assert.equal(selector.matchLabelSelector(undefined, { a: 'b' }), false)
  assert.equal(selector.matchLabelSelector({}, { a: 'b' }), true)
  assert.equal(selector.formatLabelSelector({}), '<none>')
})

test('selector of an object: labels and expressions', () => {
  const object = {
    matchLabels: { app: 'web' },
    matchExpressions: [
      { key: 'tier', operator: 'In', values: ['b', 'a'] },
      { key: 'old', operator: 'DoesNotExist' },
    ],
  }
  assert.equal(selector.formatLabelSelector(object), 'app=web,!old,tier in (a,b)')
  assert.equal(selector.matchLabelSelector(object, { app: 'web', tier: 'a' }), true)
  assert.equal(selector.matchLabelSelector(object, { app: 'web', tier: 'a', old: '' }), false)
  assert.equal(selector.formatLabelSelector({ matchExpressions: [{ key: 'a', operator: 'Near' }] }), '<error>')
})

test('selector map: an empty one selects nothing', () => {
  assert.equal(selector.matchSelectorMap(undefined, { a: 'b' }), false)
  assert.equal(selector.matchSelectorMap({}, { a: 'b' }), false)
  assert.equal(selector.matchSelectorMap({ a: 'b' }, { a: 'b', c: 'd' }), true)
  assert.equal(selector.matchSelectorMap({ a: 'b' }, { c: 'd' }), false)
})
