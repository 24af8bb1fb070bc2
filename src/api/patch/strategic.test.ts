import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { applyStrategicPatch } from '#api/patch/strategic.ts'
import { generateObject, randomFrom } from '#api/schema/generate.ts'

/** The JSON of the result, or the code and message of the refusal. */
function patch(type: string, object: object, change: unknown): unknown {
  const before = JSON.stringify([object, change])
  const result = applyStrategicPatch(type, { ...object }, change)
  assert.equal(JSON.stringify([object, change]), before, 'nothing is changed in place')
  return result.kind === 'ok' ? result.value : `${result.status.code} ${result.status.message}`
}

const containers = (...names: string[]) => names.map((name) => ({ name, image: `${name}:1` }))
const pod = (...names: string[]) => ({ containers: containers(...names) })

type Case = [name: string, type: string, object: object, patch: unknown, want: unknown]
// Rules: the design of strategic merge patch and of its $retainKeys and $setElementOrder extensions; each answer is what
// apimachinery's util/strategicpatch of Kubernetes 1.36.2 gives.
const cases: Case[] = [
  ['scalars replace', 'core.ServiceSpec', { type: 'ClusterIP' }, { type: 'NodePort' }, { type: 'NodePort' }],
  ['null removes', 'core.ServiceSpec', { type: 'ClusterIP' }, { type: null, clusterIP: null }, {}],
  [
    'maps merge',
    'core.ServiceSpec',
    { selector: { a: '1', b: '2' } },
    { selector: { a: null, c: '3' } },
    { selector: { b: '2', c: '3' } },
  ],
  [
    'lists without a key replace',
    'core.ServiceSpec',
    { externalIPs: ['1.1.1.1'] },
    { externalIPs: ['2.2.2.2'] },
    { externalIPs: ['2.2.2.2'] },
  ],
  [
    'lists with a key merge',
    'core.PodSpec',
    pod('a', 'b'),
    { containers: [{ name: 'b', image: 'b:2' }, { name: 'c' }] },
    { containers: [{ name: 'a', image: 'a:1' }, { name: 'b', image: 'b:2' }, { name: 'c' }] },
  ],
  [
    'elements nest',
    'core.PodSpec',
    { containers: [{ name: 'a', env: [{ name: 'X', value: '1' }] }] },
    { containers: [{ name: 'a', env: [{ name: 'Y', value: '2' }] }] },
    {
      containers: [
        {
          name: 'a',
          env: [
            { name: 'Y', value: '2' },
            { name: 'X', value: '1' },
          ],
        },
      ],
    },
  ],
  [
    'ports merge by number',
    'core.ServiceSpec',
    { ports: [{ port: 80, name: 'a' }] },
    { ports: [{ port: 80, nodePort: 30080 }] },
    { ports: [{ port: 80, name: 'a', nodePort: 30080 }] },
  ],
  ['an element is deleted', 'core.PodSpec', pod('a', 'b'), { containers: [{ name: 'a', $patch: 'delete' }] }, pod('b')],
  [
    'a list is replaced',
    'core.PodSpec',
    pod('a', 'b'),
    { containers: [{ $patch: 'replace' }, { name: 'c' }] },
    { containers: [{ name: 'c' }] },
  ],
  [
    'a map is replaced',
    'core.ServiceSpec',
    { selector: { a: '1' } },
    { selector: { $patch: 'replace', b: '2' } },
    { selector: { b: '2' } },
  ],
  [
    'a map is deleted',
    'core.ServiceSpec',
    { selector: { a: '1' } },
    { selector: { $patch: 'delete' } },
    { selector: {} },
  ],
  ['a directive for what is not there', 'core.ServiceSpec', {}, { selector: { $patch: 'delete' } }, {}],
  [
    'new values have no nulls and no directives',
    'core.PodSpec',
    {},
    {
      containers: [
        { name: 'a', image: null },
        { name: 'b', $patch: 'delete' },
      ],
    },
    { containers: [{ name: 'a' }] },
  ],
  [
    'sets of values merge',
    'meta.ObjectMeta',
    { finalizers: ['a', 'b'] },
    { finalizers: ['b', 'c'] },
    { finalizers: ['a', 'b', 'c'] },
  ],
  [
    'values are taken from a set',
    'meta.ObjectMeta',
    { finalizers: ['a', 'b', 'c'] },
    { '$deleteFromPrimitiveList/finalizers': ['b'] },
    { finalizers: ['a', 'c'] },
  ],
  [
    'retainKeys',
    'apps.DeploymentSpec',
    { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } },
    { strategy: { $retainKeys: ['type'], type: 'Recreate' } },
    { strategy: { type: 'Recreate' } },
  ],
  [
    'order',
    'core.PodSpec',
    pod('a', 'b', 'c'),
    { '$setElementOrder/containers': [{ name: 'c' }, { name: 'a' }] },
    pod('b', 'c', 'a'),
  ],
  [
    'order of what is new and what only the server has',
    'core.PodSpec',
    pod('s', 'a', 'b'),
    { '$setElementOrder/containers': [{ name: 'b' }, { name: 'n' }, { name: 'a' }], containers: [{ name: 'n' }] },
    {
      containers: [
        { name: 's', image: 's:1' },
        { name: 'b', image: 'b:1' },
        { name: 'n' },
        { name: 'a', image: 'a:1' },
      ],
    },
  ],
  [
    'order of a set',
    'meta.ObjectMeta',
    { finalizers: ['a', 'b'] },
    { '$setElementOrder/finalizers': ['c', 'a'], finalizers: ['c'] },
    { finalizers: ['c', 'a', 'b'] },
  ],
  [
    'order with deletion',
    'core.PodSpec',
    pod('a', 'b'),
    { '$setElementOrder/containers': [{ name: 'b' }], containers: [{ name: 'a', $patch: 'delete' }] },
    pod('b'),
  ],
  [
    'no merge key',
    'core.PodSpec',
    pod('a'),
    { containers: [{ image: 'b' }] },
    '500 map: map[image:b] does not contain declared merge key: name',
  ],
  [
    'bad directive',
    'core.ServiceSpec',
    { selector: {} },
    { selector: { $patch: 'x' } },
    '500 unknown patch type: x in map: map[$patch:x]',
  ],
  [
    'bad retainKeys',
    'apps.DeploymentSpec',
    { strategy: {} },
    { strategy: { $retainKeys: ['type'], rollingUpdate: {} } },
    '400 invalid patch format of retainKeys',
  ],
  [
    'order that does not fit',
    'core.PodSpec',
    pod('a'),
    { '$setElementOrder/containers': [{ name: 'a' }], containers: [{ name: 'b' }] },
    "500 The order in patch list:\n[map[name:b]]\n doesn't match $setElementOrder list:\n[map[name:a]]\n",
  ],
  [
    'values of two types',
    'meta.ObjectMeta',
    { finalizers: ['a'] },
    { finalizers: [1] },
    '500 list element types are not identical: [[a] [1]]',
  ],
  [
    'a list of lists',
    'meta.ObjectMeta',
    { finalizers: ['a'] },
    { finalizers: [['b']] },
    '422 the server rejected our request due to an error in our request',
  ],
  [
    'not an object',
    'core.ServiceSpec',
    {},
    [],
    '400 json: cannot unmarshal array into Go value of type map[string]interface {}',
  ],
  [
    'order of an unknown field',
    'core.ServiceSpec',
    {},
    { '$setElementOrder/x': [] },
    '500 unable to find api field in struct ServiceSpec for the json field "x"',
  ],
]
for (const [name, type, object, change, want] of cases)
  test(`strategic patch: ${name}`, () => assert.deepEqual(patch(type, object, change), want))

test('strategic patch: an object as a patch of itself, or an empty patch, changes nothing', () => {
  for (let seed = 0; seed < 100; seed++) {
    const pod = generateObject('core.Pod', { random: randomFrom(seed), fullness: 20 })
    assert.deepEqual(patch('core.Pod', pod, {}), pod, `seed ${seed}`)
    const spec = { ...pod, spec: { containers: containers('a', 'b') } }
    assert.deepEqual(patch('core.Pod', { spec: spec.spec }, { spec: spec.spec }), { spec: spec.spec }, `seed ${seed}`)
  }
})
