// What a definition's schema makes of the values of its resources. The texts and codes are what kube-apiserver 1.36 answers
// to the same requests.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { answers, define, definitions, path, startCustom, widget, widgets } from '#test/custom-definitions.ts'

const wrong: readonly [name: string, spec: unknown, want: string][] = [
  ['none', undefined, 'spec: Required value'],
  ['type', { size: 'x' }, 'spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"'],
  ['too big', { size: 11 }, 'spec.size: Invalid value: 11: spec.size in body should be less than or equal to 10'],
  ['too small', { size: 0 }, 'spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1'],
  ['enum', { color: 'blue' }, 'spec.color: Unsupported value: "blue": supported values: "red", "green"'],
  ['pattern', { name: 'AB' }, 'spec.name: Invalid value: "AB": spec.name in body should match \'^[a-z]+$\''],
  ['short', { name: 'a' }, 'spec.name: Invalid value: "a": spec.name in body should be at least 2 chars long'],
  ['long', { name: 'abcdef' }, 'spec.name: Too long: may not be more than 5 bytes'],
  [
    'int or string',
    { ios: true },
    'spec.ios: Invalid value: "boolean": spec.ios in body must be of type integer,string: "boolean"',
  ],
  ['a set', { tags: ['a', 'b', 'a', 'a'] }, 'spec.tags[2]: Duplicate value: "a"'],
  [
    'an element',
    { tags: [1] },
    'spec.tags[0]: Invalid value: "integer": spec.tags[0] in body must be of type string: "integer"',
  ],
  ['a map', { ports: [{ port: 1 }, { port: 1 }] }, 'spec.ports[1]: Duplicate value: {"port":1,"proto":"TCP"}'],
  ['too many', { ports: [1, 2, 3, 4].map((port) => ({ port })) }, 'spec.ports: Too many: 4: must have at most 3 items'],
  [
    'a member',
    { map: { a: 'x' } },
    'spec.map.a: Invalid value: "string": spec.map.a in body must be of type integer: "string"',
  ],
  [
    'a time',
    { when: 'yesterday' },
    'spec.when: Invalid value: "yesterday": spec.when in body must be of type date-time: "yesterday"',
  ],
  ['an address', { ip: '1.2.3' }, 'spec.ip: Invalid value: "1.2.3": spec.ip in body must be of type ipv4: "1.2.3"'],
]

test('what a schema says of values', async () => {
  await using api = await startCustom()
  await define(api, 'widget')
  for (const [name, spec, want] of wrong) {
    const { code, body } = await api.request('POST', widgets, { body: widget(spec) })
    assert.deepEqual([code, body.message], [422, `Widget.example.com "w" is invalid: ${want}`], name)
  }
  const one = await api.request('POST', widgets, { body: widget({ one: { a: '1', b: '2' } }) })
  assert.equal(
    one.body.message,
    'Widget.example.com "w" is invalid: <nil>: Invalid value: "": "spec.one" must validate one and only one schema (oneOf). Found 2 valid alternatives',
  )
  const kind = await api.request('POST', widgets, { body: { ...widget({}), kind: 'Foo' } })
  assert.equal(kind.body.message, 'Foo.example.com "w" is invalid: kind: Invalid value: "Foo": must be Widget')
  const protobuf = await api.request('POST', widgets, {
    body: 'k8s',
    headers: { 'content-type': 'application/vnd.kubernetes.protobuf' },
  })
  assert.equal(protobuf.code, 415)
})

test('defaults, nulls, and what is not specified', async () => {
  await using api = await startCustom()
  await define(api, 'widget')
  const post = (spec: unknown, validation: string) =>
    api.request('POST', `${widgets}?dryRun=All&fieldValidation=${validation}`, { body: widget(spec) })
  const plain = { size: 3, color: 'red', deep: { x: 'd' } }
  assert.deepEqual((await post({}, 'Strict')).body.spec, plain)
  assert.deepEqual((await post({ size: null, color: null, nul: null }, 'Strict')).body.spec, { ...plain, nul: null })
  assert.deepEqual((await post({ map: { a: null } }, 'Strict')).body.spec, { ...plain, map: {} })
  const sent = {
    foo: 1,
    any: { b: { c: 1 } },
    ports: [{ port: 1, extra: {} }],
    emb: { metadata: { name: 'x', foo: 1 } },
  }
  const strict = await post(sent, 'Strict')
  const unknown = ['spec.emb.metadata.foo', 'spec.foo', 'spec.ports[0].extra'].map(
    (field) => `unknown field "${field}"`,
  )
  assert.deepEqual(
    [strict.code, strict.body.message],
    [400, `Widget in version "v1" cannot be handled as a Widget: strict decoding error: ${unknown.join(', ')}`],
  )
  const warned = await post(sent, 'Warn')
  assert.deepEqual(warned.warnings, unknown)
  assert.deepEqual(warned.body.spec, {
    ...plain,
    any: { b: { c: 1 } },
    ports: [{ port: 1, proto: 'TCP' }],
    emb: { metadata: { name: 'x' } },
  })
  const bad = await post({ emb: { metadata: { labels: 5 } } }, 'Warn')
  assert.equal(
    bad.body.message,
    'Widget in version "v1" cannot be handled as a Widget: spec.emb.metadata: Invalid value: {"labels":5}: json: cannot unmarshal number into Go struct field ObjectMeta.labels of type map[string]string',
  )
})

test('a pattern of whoever defines a kind cannot stop the server', async () => {
  await using api = await startCustom()
  // oxlint-disable-next-line typescript/no-explicit-any
  const { metadata, spec } = structuredClone(definitions.widget) as { metadata: object; spec: any }
  const { properties } = spec.versions[0].schema.openAPIV3Schema
  properties.spec.properties.name = { type: 'string', pattern: '^(a+)+$' }
  await api.request('POST', path, { body: { metadata, spec } })
  await answers(api, widgets, 200)
  const create = (name: string) => api.request('POST', `${widgets}?dryRun=All`, { body: widget({ name }) })
  assert.equal((await create('a'.repeat(100_000))).code, 201)
  const refused = await create(`${'a'.repeat(100_000)}!`)
  assert.equal(refused.code, 422)
  assert.match(refused.body.message, /should match '\^\(a\+\)\+\$'$/)
  properties.spec.properties.name.pattern = 'a(?=b)'
  const wrong = await api.request('POST', path, { body: { metadata, spec } })
  assert.match(
    wrong.body.message,
    /\.pattern: Invalid value: "a\(\?=b\)": must be a valid regular expression, but isn't: error parsing regexp: invalid or unsupported Perl syntax: `\(\?=`/,
  )
})
