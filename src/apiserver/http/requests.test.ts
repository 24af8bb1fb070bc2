// Requests that ask for something odd, and what kube-apiserver 1.36 was seen to answer to the same.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { kinds } from '#apiserver/kinds.ts'
import { createTestServer, type TestServer } from '#test/api-server.ts'

const all = '/api/v1/namespaces/default'
const maps = `${all}/configmaps`
const deployments = '/apis/apps/v1/namespaces/default/deployments'
const map = (name: string, metadata: object = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ...metadata },
  data: { a: 'b' },
})
const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } }
const scale = (metadata: object, replicas: number) => ({
  apiVersion: 'autoscaling/v1',
  kind: 'Scale',
  metadata: { name: 'web', ...metadata },
  spec: { replicas },
})
const types = {
  json: 'application/json',
  merge: 'application/merge-patch+json',
  apply: 'application/apply-patch+yaml',
  yaml: 'application/yaml',
}

async function served(): Promise<TestServer> {
  const given = { serviceClusterIpRanges: ['10.96.0.0/12'], serviceNodePortRange: '30000-32767' }
  const server = createTestServer({ kinds: (objects) => kinds({ ...given, objects }) })
  const make = async (url: string, body: object) => {
    const reply = await server.request('POST', url, { body })
    assert.equal(reply.code, 201, reply.text)
  }
  for (const name of ['default', 'other'])
    await make('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
  await make(maps, map('c'))
  await make(deployments, {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: { selector: { matchLabels: { a: 'b' } }, template },
  })
  await make('/api/v1/nodes', {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n' },
    spec: { podCIDR: '10.0.0.0/24' },
  })
  return server
}

type Row = readonly [
  name: string,
  method: string,
  url: string,
  type: keyof typeof types,
  body: unknown,
  code: number,
  message: RegExp,
]
const noMethod = /^the server does not allow this method on the requested resource$/
const otherName = /^the name of the object \(x\) does not match the name on the URL \(c\)$/
const noName = /^the name of the object \(c based on URL\) was undeterminable: name must be provided$/
const otherNamespace = /^the namespace of the provided object does not match the namespace sent on the request$/

const rows: readonly Row[] = [
  // What a path does not take.
  ['delete in all namespaces', 'DELETE', '/api/v1/configmaps', 'json', undefined, 405, noMethod],
  ['delete all namespaces', 'DELETE', '/api/v1/namespaces', 'json', undefined, 405, noMethod],
  ['create in no namespace', 'POST', '/api/v1/configmaps', 'json', map('d'), 405, noMethod],
  ['create under a name', 'POST', `${maps}/c`, 'json', map('c'), 405, noMethod],
  ['replace a collection', 'PUT', maps, 'json', map('c'), 405, noMethod],
  ['patch a collection', 'PATCH', maps, 'merge', {}, 405, noMethod],
  ['delete a scale', 'DELETE', `${deployments}/web/scale`, 'json', undefined, 405, noMethod],
  ['patch by plain JSON', 'PATCH', `${maps}/c`, 'json', {}, 415, /^415: Unsupported Media Type$/],
  // Whose object it is.
  ['replace without a name', 'PUT', `${maps}/c`, 'json', { apiVersion: 'v1', kind: 'ConfigMap' }, 400, noName],
  ['patch the name', 'PATCH', `${maps}/c`, 'merge', { metadata: { name: 'x' } }, 400, otherName],
  ['patch the namespace', 'PATCH', `${maps}/c`, 'merge', { metadata: { namespace: 'other' } }, 400, otherNamespace],
  ['patch the kind', 'PATCH', `${maps}/c`, 'merge', { kind: 'Secret' }, 422, /^ "" is invalid: patch: /],
  ['patch the version', 'PATCH', `${maps}/c`, 'merge', { apiVersion: 'v2' }, 422, /^ "" is invalid: patch: /],
  ['patch the UID', 'PATCH', `${maps}/c`, 'merge', { metadata: { uid: 'x' } }, 422, /metadata\.uid: .*immutable/],
  ['apply another name', 'PATCH', `${maps}/c?fieldManager=m`, 'apply', map('x'), 400, otherName],
  [
    'apply in another namespace',
    'PATCH',
    `${maps}/c?fieldManager=m`,
    'apply',
    map('c', { namespace: 'other' }),
    400,
    otherNamespace,
  ],
  [
    'apply a UID that is nowhere',
    'PATCH',
    `${maps}/d?fieldManager=m`,
    'apply',
    map('d', { uid: 'x' }),
    409,
    /: uid mismatch: the provided object specified uid x, and no existing object was found$/,
  ],
  [
    'scale by another UID',
    'PUT',
    `${deployments}/web/scale`,
    'json',
    scale({ uid: 'x' }, 2),
    409,
    /UID in precondition: x/,
  ],
  // Options and kinds.
  [
    'delete with the options of another kind',
    'DELETE',
    `${maps}/c`,
    'json',
    { apiVersion: 'v1', kind: 'Pod' },
    400,
    /^no kind "Pod" is registered for version "v1"/,
  ],
  [
    'another pod CIDR',
    'PATCH',
    '/api/v1/nodes/n',
    'merge',
    { spec: { podCIDR: '10.1.0.0/24' } },
    422,
    /spec\.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid$/,
  ],
]

test('what is refused, and in which words', async () => {
  await using server = await served()
  for (const [name, method, url, type, body, code, message] of rows) {
    const reply = await server.request(method, url, { body, headers: { 'content-type': types[type] } })
    assert.equal(reply.code, code, `${name}: ${reply.text}`)
    assert.match(reply.body.message, message, name)
  }
})

test('a version of 0 is none', async () => {
  await using server = await served()
  const reply = await server.request('PUT', `${maps}/c`, { body: map('c', { resourceVersion: '0' }) })
  assert.equal(reply.code, 200, reply.text)
})

test('a refusal is YAML where that is what is read', async () => {
  await using server = await served()
  const reply = await server.request('GET', `${maps}/nope`, { headers: { accept: 'application/yaml' } })
  assert.equal(reply.contentType, 'application/yaml')
  assert.match(reply.text, /^reason: NotFound$/m)
})

test('one object is watched by the old path only; `watch` says nothing where a name stands', async () => {
  await using server = await served()
  const one = await server.request('GET', `${maps}/c?watch=1`)
  assert.equal(one.body.kind, 'ConfigMap')
  const watch = await server.watch('/api/v1/watch/namespaces/default/configmaps/c?resourceVersion=0')
  await server.request('POST', maps, { body: map('d') })
  await server.request('DELETE', `${maps}/c`)
  assert.deepEqual(
    watch.lines.map(({ type, object }) => [type, object.metadata?.name]),
    [
      ['ADDED', 'c'],
      ['DELETED', 'c'],
    ],
  )
  watch.stop()
})

test('a Scale is applied, and belongs to who applied it', async () => {
  await using server = await served()
  const apply = (manager: string, replicas: number, more = '') =>
    server.request('PATCH', `${deployments}/web/scale?fieldManager=${manager}${more}`, {
      body: scale({}, replicas),
      headers: { 'content-type': types.apply },
    })
  const conflict = await apply('one', 5)
  assert.equal(conflict.code, 409, conflict.text)
  assert.match(conflict.body.message, /: \.spec\.replicas$/)
  const forced = await apply('one', 5, '&force=true')
  assert.equal(forced.code, 200, forced.text)
  assert.deepEqual([forced.body.kind, forced.body.spec], ['Scale', { replicas: 5 }])
  const other = await apply('two', 6)
  assert.match(other.body.message, /^Apply failed with 1 conflict: conflict with "one" with subresource "scale"/)
  const { body } = await server.request('GET', `${deployments}/web`)
  assert.equal(body.metadata.generation, 2)
  const entry = body.metadata.managedFields.find(({ manager }: { manager: string }) => manager === 'one')
  assert.deepEqual(
    [entry.operation, entry.subresource, entry.fieldsV1],
    ['Apply', 'scale', { 'f:spec': { 'f:replicas': {} } }],
  )
})

test('deleting a Job without a word about its pods is warned about', async () => {
  await using server = await served()
  const jobs = '/apis/batch/v1/namespaces/default/jobs'
  const make = (name: string) => ({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name },
    spec: { template: { spec: { ...template.spec, restartPolicy: 'Never' } } },
  })
  const made = await server.request('POST', jobs, { body: make('a') })
  assert.equal(made.body.metadata.labels['job-name'], 'a', 'its labels are those of its pods')
  await server.request('POST', jobs, { body: make('b') })
  const silent = await server.request('DELETE', `${jobs}/a`, { body: { propagationPolicy: 'Background' } })
  assert.deepEqual(silent.warnings, [])
  const { warnings } = await server.request('DELETE', `${jobs}/b`)
  assert.match(warnings.join(), /^child pods are preserved by default when jobs are deleted; /)
})

test('a pod in the middle of its life', async () => {
  await using server = await served()
  const pods = `${all}/pods`
  await server.request('POST', `${all}/serviceaccounts`, {
    body: { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } },
  })
  const made = await server.request('POST', pods, {
    body: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec: template.spec },
  })
  assert.equal(made.code, 201, made.text)
  const silent = await server.request('GET', `${pods}/p/log`)
  assert.deepEqual([silent.code, silent.text], [200, ''], 'before it has a node')
  const target = { kind: 'Node', name: 'n' }
  await server.request('POST', `${pods}/p/binding`, {
    body: { apiVersion: 'v1', kind: 'Binding', metadata: { name: 'p' }, target },
  })
  const told = await server.request('PATCH', `${pods}/p/status`, {
    body: { status: { podIP: '10.0.0.7' } },
    headers: { 'content-type': types.merge },
  })
  assert.deepEqual(told.body.status.podIPs, [{ ip: '10.0.0.7' }])
  assert.equal(told.body.metadata.generation, 1, 'being bound is no change of what is wanted')
  for (const [query, message] of [
    ['tailLines=-1', 'tailLines: Invalid value: -1: must be greater than or equal to 0'],
    ['limitBytes=0', 'limitBytes: Invalid value: 0: must be greater than 0'],
    ['sinceSeconds=0', 'sinceSeconds: Invalid value: 0: must be greater than 0'],
    [
      'sinceSeconds=1&sinceTime=2020-01-01T00:00:00Z',
      '[]: Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified',
    ],
  ] as const) {
    const reply = await server.request('GET', `${pods}/p/log?${query}`)
    assert.deepEqual([reply.code, reply.body.message], [422, `PodLogOptions "p" is invalid: ${message}`])
  }
  await server.request('DELETE', `${pods}/p?gracePeriodSeconds=5`)
  const gone = await server.request('DELETE', `${pods}/p?gracePeriodSeconds=0`)
  assert.equal(gone.body.metadata.deletionGracePeriodSeconds, 0)
  assert.equal((await server.request('GET', `${pods}/p`)).code, 404)
})

test('a Service that becomes a name keeps no policy of cluster traffic', async () => {
  await using server = await served()
  const url = `${all}/services`
  await server.request('POST', url, {
    body: { apiVersion: 'v1', kind: 'Service', metadata: { name: 's' }, spec: { ports: [{ port: 80 }] } },
  })
  const { body } = await server.request('PATCH', `${url}/s`, {
    body: { spec: { type: 'ExternalName', externalName: 'a.b' } },
    headers: { 'content-type': types.merge },
  })
  assert.equal(body.spec.internalTrafficPolicy, undefined)
})
