import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeListValue, decodeValue } from '#api/decode.ts'
import { parseJson } from '#api/json-text.ts'
import { parseYaml } from '#api/yaml-text.ts'

/** What a body becomes: its JSON, followed by its problems; or the error. */
function decoded(type: string, text: string): string {
  const parsed = parseJson(text)
  if (parsed.kind === 'error') return `error: ${parsed.message}`
  const result = decodeValue(type, parsed.value.value)
  if (result.kind === 'error') return `error: ${result.message}`
  return [JSON.stringify(result.object), ...result.problems, ...parsed.value.problems].join('; ')
}

const empty = '"metadata":{},"status":{"loadBalancer":{}}'
// What Kubernetes 1.36.2's own decoder answers to the same texts, save that it shows an unset Time, selector or list as
// null and ServicePort's targetPort as 0.
const cases: [string, string, string, string][] = [
  [
    'zero values go',
    'core.Service',
    '{"spec":{"clusterIP":"","publishNotReadyAddresses":false,"ports":[],"selector":{}}}',
    `{"spec":{},${empty}}`,
  ],
  [
    'null is no value',
    'core.Service',
    '{"metadata":null,"spec":{"type":null,"ports":[{"port":null}]}}',
    `{"spec":{"ports":[{"port":0}]},${empty}}`,
  ],
  [
    'null in lists and maps',
    'core.Service',
    '{"spec":{"externalIPs":[null,"a"],"selector":{"a":null},"ports":[null]}}',
    `{"spec":{"externalIPs":["","a"],"selector":{"a":""},"ports":[{"port":0}]},${empty}}`,
  ],
  [
    'zero of a pointer stays',
    'apps.Deployment',
    '{"spec":{"replicas":0,"strategy":{"rollingUpdate":{"maxSurge":0}}}}',
    '{"spec":{"replicas":0,"strategy":{"rollingUpdate":{"maxSurge":0}},"template":{"metadata":{},"spec":{"containers":[]}}},"metadata":{},"status":{}}',
  ],
  [
    'objects that are always there',
    'core.Pod',
    '{"spec":{"containers":[{}]}}',
    '{"spec":{"containers":[{"name":"","resources":{}}]},"metadata":{},"status":{}}',
  ],
  [
    'inlined fields',
    'core.Pod',
    '{"spec":{"volumes":[{"emptyDir":{}}],"containers":[]}}',
    '{"spec":{"volumes":[{"emptyDir":{},"name":""}],"containers":[]},"metadata":{},"status":{}}',
  ],
  [
    'quantities',
    'core.ResourceRequirements',
    '{"limits":{"cpu":1.5,"memory":"1024Mi"}}',
    '{"limits":{"cpu":"1500m","memory":"1Gi"}}',
  ],
  [
    'bad quantity',
    'core.ResourceRequirements',
    '{"limits":{"cpu":"1x"}}',
    "error: quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
  ],
  [
    'bytes',
    'core.Secret',
    '{"metadata":{},"data":{"a":"YR==","b":"YQ\\n=="}}',
    '{"metadata":{},"data":{"a":"YQ==","b":"YQ=="}}',
  ],
  ['bad bytes', 'core.Secret', '{"data":{"a":"YWJj!"}}', 'error: illegal base64 data at input byte 4'],
  [
    'times',
    'meta.ObjectMeta',
    '{"creationTimestamp":"2020-01-01T00:00:00.5+02:00"}',
    '{"creationTimestamp":"2019-12-31T22:00:00Z"}',
  ],
  [
    'time that is a number',
    'core.Service',
    '{"metadata":{"creationTimestamp":5}}',
    'error: json: cannot unmarshal number into Go struct field ObjectMeta.metadata.creationTimestamp of type string',
  ],
  [
    'raw objects stay as they are',
    'apps.ControllerRevision',
    '{"data":{"a":[null,1]}}',
    '{"data":{"a":[null,1]},"metadata":{},"revision":0}',
  ],
  [
    'string for a number',
    'core.Service',
    '{"spec":{"ports":[{"port":"x"}]}}',
    'error: json: cannot unmarshal string into Go struct field ServicePort.spec.ports.port of type int32',
  ],
  [
    'number with a fraction',
    'core.Service',
    '{"spec":{"ports":[{"port":80.5}]}}',
    'error: json: cannot unmarshal number 80.5 into Go struct field ServicePort.spec.ports.port of type int32',
  ],
  [
    'number too large',
    'core.Service',
    '{"spec":{"ports":[{"port":3000000000}]}}',
    'error: json: cannot unmarshal number 3000000000 into Go struct field ServicePort.spec.ports.port of type int32',
  ],
  [
    'string for a list',
    'core.Service',
    '{"spec":{"ports":"x"}}',
    'error: json: cannot unmarshal string into Go struct field ServiceSpec.spec.ports of type []v1.ServicePort',
  ],
  [
    'number for an object',
    'core.Service',
    '{"spec":5}',
    'error: json: cannot unmarshal number into Go struct field Service.spec of type v1.ServiceSpec',
  ],
  [
    'number for an element',
    'core.Service',
    '{"spec":{"ports":[5]}}',
    'error: json: cannot unmarshal number into Go struct field ServiceSpec.spec.ports of type v1.ServicePort',
  ],
  [
    'list for a map',
    'core.Service',
    '{"spec":{"selector":[]}}',
    'error: json: cannot unmarshal array into Go struct field ServiceSpec.spec.selector of type map[string]string',
  ],
  [
    'number for a label',
    'core.Service',
    '{"metadata":{"labels":{"a":1}}}',
    'error: json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string',
  ],
  [
    'bool for a port',
    'core.Service',
    '{"spec":{"ports":[{"targetPort":true}]}}',
    'error: json: cannot unmarshal bool into Go struct field ServicePort.spec.ports.targetPort of type int32',
  ],
  [
    'unknown and duplicate fields',
    'core.Service',
    '{"spec":{"foo":1,"ports":[{"bar":2,"port":1,"port":2}]},"x":1}',
    `{"spec":{"ports":[{"port":2}]},${empty}}; unknown field "spec.foo"; unknown field "spec.ports[0].bar"; unknown field "x"; duplicate field "spec.ports[0].port"`,
  ],
  [
    'names are case-sensitive',
    'core.Service',
    '{"Spec":{}}',
    `{"metadata":{},"spec":{},"status":{"loadBalancer":{}}}; unknown field "Spec"`,
  ],
  ['end of text', 'core.Service', '{"a', 'error: unexpected end of JSON input'],
  ['no text', 'core.Service', '', 'error: unexpected end of JSON input'],
  ['not JSON', 'core.Service', 'apiVersion: v1', "error: invalid character 'a' looking for beginning of value"],
  ['bad key', 'core.Service', '{a:1}', "error: invalid character 'a' looking for beginning of object key string"],
  ['missing comma', 'core.Service', '{"a":1 "b":2}', `error: invalid character '"' after object key:value pair`],
  ['text after the end', 'core.Service', '{} x', "error: invalid character 'x' after top-level value"],
  ['too deep', 'core.Service', '['.repeat(2000), 'error: exceeded max depth'],
]
for (const [name, type, text, want] of cases) test(`decode: ${name}`, () => assert.equal(decoded(type, text), want))

test('decode: a label called __proto__ is a label', () => {
  const result = decodeValue('meta.ObjectMeta', JSON.parse('{"labels":{"__proto__":"x"},"__proto__":{"a":1}}'))
  assert.ok(result.kind === 'ok')
  assert.equal(JSON.stringify(result.object), '{"labels":{"__proto__":"x"}}')
  assert.deepEqual(result.problems, ['unknown field "__proto__"'])
})

test('decode: what was decoded decodes to itself', () => {
  const text =
    '{"metadata":{"labels":{"a":"b"}},"spec":{"replicas":0,"template":{"spec":{"containers":[{"name":"a"}]}}}}'
  const first = decodeValue('apps.Deployment', JSON.parse(text))
  assert.ok(first.kind === 'ok')
  const second = decodeValue('apps.Deployment', first.object)
  assert.deepEqual(second, first)
})

test('decode: lists', () => {
  const result = decodeListValue('core.Service', { kind: 'ServiceList', items: [{ spec: { x: 1 } }] })
  assert.ok(result.kind === 'ok')
  assert.equal(
    JSON.stringify(result.object),
    '{"kind":"ServiceList","items":[{"spec":{},"metadata":{},"status":{"loadBalancer":{}}}],"metadata":{}}',
  )
  assert.deepEqual(result.problems, ['unknown field "items[0].spec.x"'])
})

test('yaml: as JSON would have it', () => {
  const text = 'a: yes\nb: 0o7\nc: 2020-01-01\n1: x\nd: &d {e: 1}\nf: *d\ng:\n  <<: *d\n  h: 2\na: no\n'
  const result = parseYaml(text)
  assert.ok(result.kind === 'ok')
  assert.deepEqual(result.value.value, {
    '1': 'x',
    a: false,
    b: '0o7',
    c: '2020-01-01',
    d: { e: 1 },
    f: { e: 1 },
    g: { e: 1, h: 2 },
  })
  assert.deepEqual(result.value.problems, ['key "a" already set in map'])
})

test('yaml: what has no end is refused', () => {
  for (const text of ['a: &a\n  b: *a', '['.repeat(200000), '- '.repeat(20000)])
    assert.equal(parseYaml(text).kind, 'error')
})

test('yaml: errors name the line', () => {
  const result = parseYaml('a: 1\nb: [1\n')
  assert.ok(result.kind === 'error')
  assert.match(result.message, /^error converting YAML to JSON: yaml: line \d: /)
  const bomb = `a: &a [1,1,1,1,1,1,1,1,1]\n${'bcdefghi'.replaceAll(/./g, (x) => `${x}: &${x} [${`*${String.fromCharCode(x.charCodeAt(0) - 1)},`.repeat(9)}]\n`)}`
  assert.equal(parseYaml(bomb).kind, 'error')
})
