import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseManifests } from '#lab/manifest.ts'

const parse = (text: string) => parseManifests(text, 'f.yaml')

test('documents, comments, empty ones and Lists, each with its line', () => {
  const text = `# first
apiVersion: v1
kind: Service
metadata: {name: a}
---
# nothing here
---

kind: List
apiVersion: v1
items:
- {apiVersion: v1, kind: Pod, metadata: {name: b}}
- {apiVersion: v1, kind: Pod, metadata: {name: c}}
`
  assert.deepEqual(
    parse(text).map(({ object, place }) => [object.kind, object.metadata?.name, place]),
    [
      ['Service', 'a', 'f.yaml:2'],
      ['Pod', 'b', 'f.yaml:9'],
      ['Pod', 'c', 'f.yaml:9'],
    ],
  )
  assert.deepEqual(parse(''), [])
  assert.deepEqual(parse('# only a comment\n'), [])
  assert.equal(parse('{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "j"}}')[0]?.object.metadata?.name, 'j')
})

test('scalars as Kubernetes reads them', () => {
  const [manifest] = parse(`apiVersion: v1
kind: X
metadata: {name: a}
mode: 0644
on: yes
port: 30225
time: 12:30:45
date: 2020-01-01
text: "80"
`)
  const { mode, port, time, date, text } = manifest!.object as unknown as Record<string, unknown>
  assert.deepEqual(
    { mode, port, time, date, text },
    { mode: 420, port: 30225, time: '12:30:45', date: '2020-01-01', text: '80' },
  )
})

const bad = [
  ['broken YAML', 'apiVersion: v1\nkind: Service\nmetadata:\n  name: a\n spec: {}\n', /^f.yaml:5: not YAML: /],
  [
    'an open bracket in the second document',
    'apiVersion: v1\nkind: A\nmetadata: {name: x}\n---\na: [1, 2\n',
    /^f.yaml:6: not YAML: /,
  ],
  ['the same key twice', 'apiVersion: v1\nkind: A\nkind: B\n', /^f.yaml:3: not YAML: Map keys must be unique/],
  ['a text', 'hello\n', /^f.yaml:1: an object is expected, not "hello"/],
  ['a list', '\n- a\n', /^f.yaml:2: an object is expected, not a list/],
  ['no apiVersion', 'kind: Service\n', /^f.yaml:1: apiVersion is missing/],
  ['no kind', 'apiVersion: v1\n', /^f.yaml:1: kind is missing/],
  ['no name', 'apiVersion: v1\nkind: Service\n', /^f.yaml:1: metadata.name of the Service is missing/],
] as const
for (const [name, text, message] of bad)
  test(`refused with file and line: ${name}`, () => assert.throws(() => parse(text), { code: 'BadManifest', message }))
