import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { exactField, formatFields, matchFields, parseFieldSelector, unknownField } from '#api/field-selector.ts'

const parsed = (text: string) => {
  const result = parseFieldSelector(text)
  return result.kind === 'ok' ? formatFields(result.value) : `error: ${result.message}`
}

const texts: [string, string][] = [
  ['', ''],
  ['a=b', 'a=b'],
  ['a==b', 'a=b'],
  ['b!=c,a=1', 'a=1,b!=c'],
  ['a=', 'a='],
  ['a=b,,', 'a=b'],
  ['a=x\\,y\\=z\\\\', 'a=x\\,y\\=z\\\\'],
  ['=a', '=a'],
  ['a', "error: invalid selector: 'a'; can't understand 'a'"],
  ['a=b,c', "error: invalid selector: 'a=b,c'; can't understand 'c'"],
  ['a=b=c', 'error: invalid field selector: unescaped character in value: 61'],
  ['a=\\b', 'error: invalid field selector: invalid escape sequence: \\b'],
  ['a=b\\', 'error: invalid field selector: invalid escape sequence: \\'],
]
for (const [text, want] of texts)
  test(`field selector: ${JSON.stringify(text)}`, () => assert.equal(parsed(text), want))

test('field selector: matching, exact fields and unknown ones', () => {
  const result = parseFieldSelector('metadata.name=web,spec.nodeName!=n1')
  assert.ok(result.kind === 'ok')
  const matches = (fields: Readonly<Record<string, string>>) => matchFields(result.value, (field) => fields[field])
  assert.equal(matches({ 'metadata.name': 'web' }), true)
  assert.equal(matches({ 'metadata.name': 'web', 'spec.nodeName': 'n1' }), false)
  assert.equal(exactField(result.value, 'metadata.name'), 'web')
  assert.equal(exactField(result.value, 'spec.nodeName'), undefined)
  assert.equal(unknownField(result.value, ['spec.nodeName']), undefined)
  assert.equal(unknownField(result.value, ['spec.type']), 'field label not supported: spec.nodeName')
  assert.equal(
    unknownField(result.value, []),
    '"spec.nodeName" is not a known field selector: only "metadata.name", "metadata.namespace"',
  )
})
