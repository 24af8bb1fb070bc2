// PATCH in all its kinds, and the record of fields that writes leave, with the real kinds.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { kinds } from '#apiserver/kinds.ts'
import { createTestServer } from '#test/api-server.ts'

const setting = { serviceClusterIpRanges: ['10.96.0.0/12'], serviceNodePortRange: '30000-32767' }
const services = '/api/v1/namespaces/default/services'
const deployments = '/apis/apps/v1/namespaces/default/deployments'
const types = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
}

async function server() {
  const api = createTestServer({ kinds: (objects) => kinds({ ...setting, objects }) })
  await api.request('POST', '/api/v1/namespaces', { body: { metadata: { name: 'default' } } })
  const patch = (type: keyof typeof types, url: string, body: unknown, user = 'test/1.0') =>
    api.request('PATCH', url, { body, headers: { 'content-type': types[type], 'user-agent': user } })
  return Object.assign(api, { patch })
}
const web = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web' },
  spec: {
    selector: { app: 'web' },
    ports: [
      { name: 'http', port: 80, targetPort: 8080 },
      { name: 'https', port: 443 },
    ],
  },
}

test('three patches of a list', async () => {
  await using api = await server()
  await api.request('POST', services, { body: web })
  const ports = ({ body }: { body: { spec: { ports: { name: string; port: number; targetPort: unknown }[] } } }) =>
    body.spec.ports.map(({ name, port, targetPort }) => `${name} ${port} ${String(targetPort)}`)
  const strategic = await api.patch('strategic', `${services}/web`, {
    spec: {
      ports: [
        { port: 80, targetPort: 9090 },
        { port: 443, $patch: 'delete' },
        { name: 'more', port: 81 },
      ],
    },
  })
  assert.deepEqual(ports(strategic), ['http 80 9090', 'more 81 81'])
  const json = await api.patch('json', `${services}/web`, [
    { op: 'test', path: '/spec/ports/0/port', value: 80 },
    { op: 'remove', path: '/spec/ports/1' },
  ])
  assert.deepEqual(ports(json), ['http 80 9090'])
  const merge = await api.patch('merge', `${services}/web`, { spec: { ports: [{ port: 90 }], selector: null } })
  assert.deepEqual([ports(merge), merge.body.spec.selector], [['undefined 90 90'], undefined])
})

test('what a patch is refused for', async () => {
  await using api = await server()
  await api.request('POST', services, { body: web })
  const url = `${services}/web`
  const cases: readonly [string, keyof typeof types, string, unknown, number, RegExp][] = [
    ['nothing there', 'merge', `${services}/nope`, {}, 404, /^services "nope" not found$/],
    ['not an object', 'merge', url, '[1]', 400, /./],
    ['no JSON', 'merge', url, '{', 400, /^error decoding patch: /],
    ['does not fit', 'json', url, [{ op: 'remove', path: '/spec/nothing' }], 422, /./],
    ['test fails', 'json', url, [{ op: 'test', path: '/spec/type', value: 'x' }], 422, /./],
    ['stale', 'merge', url, { metadata: { resourceVersion: '1' } }, 409, /the object has been modified/],
    [
      'another object',
      'merge',
      url,
      { metadata: { uid: 'x' } },
      422,
      /metadata\.uid: Invalid value: "x": field is immutable/,
    ],
    [
      'makes it invalid',
      'merge',
      url,
      { spec: { ports: [] } },
      422,
      /^Service "web" is invalid: spec\.ports: Required value$/,
    ],
    [
      'renames it',
      'merge',
      url,
      { metadata: { name: 'x' } },
      400,
      /^the name of the object \(x\) does not match the name on the URL \(web\)$/,
    ],
    ['wrong type', 'strategic', url, { spec: { ports: 'x' } }, 422, /cannot unmarshal string/],
    ['force', 'merge', `${url}?force=true`, {}, 422, /force: Forbidden: may not be specified for non-apply patch/],
    ['apply by nobody', 'apply', url, {}, 422, /fieldManager: Required value: is required for apply patch/],
  ]
  for (const [name, type, path, body, code, message] of cases) {
    const reply = await api.patch(type, path, body)
    assert.equal(reply.code, code, `${name}: ${reply.text}`)
    assert.match(reply.body.message, message, name)
  }
  const strict = await api.patch('merge', `${url}?fieldValidation=Strict`, { spec: { nope: 1 } })
  assert.equal(strict.code, 422)
  assert.match(strict.body.message, /strict decoding error: unknown field "spec\.nope"$/)
  const warned = await api.patch('merge', url, { spec: { nope: 1 } })
  assert.deepEqual([warned.code, warned.warnings], [200, ['unknown field "spec.nope"']])
  const ignored = await api.patch('merge', `${url}?fieldValidation=Ignore`, { spec: { nope: 1 } })
  assert.deepEqual([ignored.code, ignored.warnings], [200, []])
  const made = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'x' }, spec: { nope: 1, ports: [{ port: 1 }] } }
  for (const [validation, code, warnings] of [
    ['Ignore', 201, []],
    ['Warn', 201, ['unknown field "spec.nope"']],
    ['Strict', 400, []],
  ] as const) {
    const reply = await api.request('POST', `${services}?dryRun=All&fieldValidation=${validation}`, { body: made })
    assert.deepEqual([reply.code, reply.warnings], [code, warnings], validation)
  }
  const strange = [{ op: 'test', path: '/spec/type', value: 'ClusterIP', form: 1 }]
  const refused = await api.patch('json', `${url}?fieldValidation=Strict`, strange)
  assert.equal(refused.code, 422)
  assert.match(refused.body.message, /strict decoding error: json patch unknown field "\[0\]\.form"$/)
  const told = await api.patch('json', url, strange)
  assert.deepEqual([told.code, told.warnings], [200, ['json patch unknown field "[0].form"']])
  const twice = await api.patch('json', url, '[{"op":"test","op":"test","path":"/spec/type","value":"ClusterIP"}]')
  assert.deepEqual(twice.warnings, ['json patch duplicate field "[0].op"'])
  const unknown = await api.request('PATCH', url, { body: {}, headers: { 'content-type': 'application/json' } })
  assert.equal(unknown.code, 415)
})

test('apply: makes, changes, takes back, and says who owns what', async () => {
  await using api = await server()
  const apply = (manager: string, spec: object, more = '') =>
    api.patch('apply', `${deployments}/web?fieldManager=${manager}${more}`, {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', labels: { by: manager } },
      spec,
    })
  const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: 'i:1' }] } }
  const spec = { replicas: 2, selector: { matchLabels: { app: 'web' } }, template }
  const made = await apply('one', spec)
  assert.deepEqual([made.code, made.body.spec.replicas, made.body.spec.strategy.type], [201, 2, 'RollingUpdate'])
  const [entry] = made.body.metadata.managedFields
  assert.deepEqual([entry.manager, entry.operation, entry.apiVersion], ['one', 'Apply', 'apps/v1'])
  assert.deepEqual(Object.keys(entry.fieldsV1['f:spec']).sort(), ['f:replicas', 'f:selector', 'f:template'])
  const again = await apply('one', spec)
  assert.deepEqual([again.code, again.body.metadata.resourceVersion], [200, made.body.metadata.resourceVersion])

  const conflict = await apply('two', { replicas: 5 })
  assert.deepEqual([conflict.code, conflict.body.reason], [409, 'Conflict'])
  assert.deepEqual(
    conflict.body.details.causes.map(({ field }: { field: string }) => field),
    ['.metadata.labels.by', '.spec.replicas'],
  )
  const forced = await apply('two', { replicas: 5 }, '&force=true')
  assert.deepEqual([forced.code, forced.body.spec.replicas, forced.body.metadata.generation], [200, 5, 2])
  const { replicas: _, ...without } = spec
  const given = await apply('one', without, '&force=true')
  assert.equal(given.body.spec.replicas, 5, 'what another one owns stays')

  const scaled = await api.patch('merge', `${deployments}/web/scale?fieldManager=scaler`, { spec: { replicas: 3 } })
  assert.deepEqual(
    [scaled.code, scaled.body.kind, scaled.body.spec.replicas, scaled.body.status.selector],
    [200, 'Scale', 3, 'app=web'],
  )
  const after = (await api.request('GET', `${deployments}/web`)).body
  const managers = after.metadata.managedFields.map(
    ({ manager, operation, subresource = '' }: Record<string, string>) =>
      `${manager} ${operation} ${subresource}`.trim(),
  )
  assert.deepEqual(managers, ['one Apply', 'scaler Update scale'])
  const status = { ...after, status: { observedGeneration: 3, replicas: 3 } }
  const written = await api.request('PUT', `${deployments}/web/status?fieldManager=controller`, { body: status })
  const last = written.body.metadata.managedFields.find(
    ({ subresource }: { subresource?: string }) => subresource === 'status',
  )
  assert.deepEqual([last.manager, Object.keys(last.fieldsV1)], ['controller', ['f:status']])
})

test('apply: what is refused, in which words', async () => {
  await using api = await server()
  const apply = (body: unknown) => api.patch('apply', `${services}/web?fieldManager=m`, body)
  const unknown = await apply({ ...web, spec: { ...web.spec, nope: 1 } })
  assert.equal(
    unknown.body.message,
    'failed to create typed patch object (/web; /v1, Kind=Service): .spec.nope: field not declared in schema',
  )
  const other = await apply({ ...web, kind: 'Pod' })
  assert.deepEqual([other.code, other.body.message], [400, 'invalid object type: /v1, Kind=Pod'])
  const name = await apply({ ...web, metadata: { name: 'x' } })
  assert.equal(name.body.message, 'the name of the object (x) does not match the name on the URL (web)')
  assert.equal((await apply('a: [')).code, 400)
  const yaml = await apply('apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n')
  assert.deepEqual([yaml.code, yaml.body.spec.ports[0].port], [201, 80])
})
