// Rubbish of every sort: the server answers it with a Status of the client's fault, and goes on.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { closeEnvelope } from '#api/protobuf/envelope.ts'
import { encodeMessage } from '#api/protobuf/encode-message.ts'
import { generateObject, randomFrom } from '#api/schema/generate.ts'
import { kinds } from '#apiserver/kinds.ts'
import { createTestServer, type TestServer } from '#test/api-server.ts'

const setting = { serviceClusterIpRanges: ['10.96.0.0/16'], serviceNodePortRange: '30000-32767' }
const rounds = process.env['FAIRWAY_SOAK'] ? 20_000 : 300

const collections: readonly [path: string, type: string, apiVersion: string, kind: string][] = [
  ['/api/v1/namespaces/default/services', 'core.Service', 'v1', 'Service'],
  ['/api/v1/namespaces/default/pods', 'core.Pod', 'v1', 'Pod'],
  ['/api/v1/namespaces/default/configmaps', 'core.ConfigMap', 'v1', 'ConfigMap'],
  ['/apis/apps/v1/namespaces/default/deployments', 'apps.Deployment', 'apps/v1', 'Deployment'],
  [
    '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices',
    'discovery.EndpointSlice',
    'discovery.k8s.io/v1',
    'EndpointSlice',
  ],
  ['/api/v1/nodes', 'core.Node', 'v1', 'Node'],
]
const contentTypes = [
  'application/json',
  'application/yaml',
  'application/vnd.kubernetes.protobuf',
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
]
const words = [
  '"',
  '{',
  '}',
  '[',
  ']',
  ':',
  ',',
  'null',
  '1e400',
  '\\u0000',
  '__proto__',
  'metadata',
  'spec',
  '$patch',
  '- a',
  '&x *x',
  '\xff',
  '0',
]

async function server(): Promise<TestServer> {
  const api = createTestServer({ kinds: (objects) => kinds({ ...setting, objects }) })
  await api.request('POST', '/api/v1/namespaces', { body: { metadata: { name: 'default' } } })
  return api
}

test('rubbish in bodies, patches, paths and queries', async () => {
  await using api = await server()
  for (let seed = 1; seed <= rounds; seed++) {
    const random = randomFrom(seed)
    const pick = <T>(values: readonly T[]): T => values[random(values.length)]!
    const [path, type, apiVersion, kind] = pick(collections)
    const text = () => Array.from({ length: 1 + random(12) }, () => pick(words)).join('')
    const object = { ...generateObject(type, { random, fullness: 0.3, depth: 5 }), apiVersion, kind }
    const message = closeEnvelope({ apiVersion, kind, raw: encodeMessage(type, object) })
    const broken = message.map((byte) => (random(50) === 0 ? random(256) : byte))
    const body = pick<unknown>([
      text(),
      object,
      JSON.stringify(object).slice(0, 400),
      message,
      broken,
      { spec: object },
    ])
    const name = pick(['x', 'web', '..', encodeURIComponent(text())])
    const [method, url] = pick<[string, string]>([
      ['POST', path],
      ['PUT', `${path}/${name}`],
      ['PATCH', `${path}/${name}?fieldManager=f`],
      ['DELETE', `${path}/${name}`],
      ['GET', `${path}?labelSelector=${encodeURIComponent(text())}`],
      ['GET', `${path}?continue=${encodeURIComponent(text())}&limit=2`],
      ['PUT', `${path}/${name}/status`],
      ['PATCH', `${path}/${name}/scale?fieldManager=f`],
    ])
    const headers = { 'content-type': pick(contentTypes) }
    const reply = await api.request(method, url, { body, headers }).catch((error: unknown) => {
      throw new Error(`seed ${seed}: ${method} ${url}`, { cause: error })
    })
    // Some words of upstream are a plain 500 without a reason; a fault of the server has one.
    assert.notEqual(reply.body?.reason, 'InternalError', `seed ${seed}: ${method} ${url}: ${reply.text}`)
  }
  assert.equal((await api.request('GET', '/api/v1/namespaces/default')).code, 200)
})

test('what does not say in words what it is', async () => {
  await using api = await server()
  const table = [
    ['{"apiVersion":true,"kind":"ConfigMap"}', 'bool', 'apiVersion'],
    ['{"apiVersion":"v1","kind":1}', 'number', 'kind'],
    ['{"apiVersion":["a"],"kind":{}}', 'array', 'apiVersion'],
    ['{"kind":{}}', 'object', 'kind'],
  ]
  for (const [body = '', found, field] of table) {
    const reply = await api.request('POST', '/api/v1/namespaces/default/configmaps', { body })
    assert.equal(reply.code, 400)
    const shown = body.length > 30 ? `${body.slice(0, 30)} ...` : body
    assert.equal(
      reply.body.message,
      `the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: json: cannot unmarshal ${found} into Go struct field .${field} of type string (${shown})`,
    )
  }
})

test('depth and size', async () => {
  await using api = await server()
  const maps = '/api/v1/namespaces/default/configmaps'
  const deep = `${'{"metadata":'.repeat(50_000)}1${'}'.repeat(50_000)}`
  assert.equal((await api.request('POST', maps, { body: deep })).code, 400)
  const yaml = `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghi'
    .split('')
    .map((letter, index) => `${letter}: &${letter} [${Array(9).fill(`*${'abcdefgh'[index]}`).join(',')}]`)
    .join('\n')}\n`
  const bomb = await api.request('POST', maps, { body: yaml, headers: { 'content-type': 'application/yaml' } })
  assert.ok(bomb.code >= 400 && bomb.code < 500, bomb.text.slice(0, 200))
  const many = {
    metadata: { name: 'm' },
    data: Object.fromEntries(Array.from({ length: 20_000 }, (_, n) => [`k${n}`, 'v'])),
  }
  assert.equal((await api.request('POST', maps, { body: many })).code, 201)
})
