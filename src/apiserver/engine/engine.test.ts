// Requests for objects, from request to answer, with a few small kinds.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { configMaps, namespaces, pods, type ConfigMap, type Namespace, type Pod } from '#api/core.ts'
import { required } from '#api/field-error.ts'
import type { Kind } from '#apiserver/kind.ts'
import { createTestServer } from '#test/api-server.ts'

const columns = [{ name: 'Name', type: 'string' as const, format: 'name' }]
const row = (object: { metadata?: { name?: string } }) => [object.metadata?.name ?? '']

const configMapKind: Kind<ConfigMap> = {
  resource: configMaps,
  type: 'core.ConfigMap',
  singular: 'configmap',
  columns,
  row,
}
const namespaceKind: Kind<Namespace> = {
  resource: namespaces,
  type: 'core.Namespace',
  singular: 'namespace',
  columns,
  row,
  isHeld: (namespace) => (namespace.spec?.finalizers?.length ?? 0) > 0,
}
const podKind: Kind<Pod> = {
  resource: pods,
  type: 'core.Pod',
  singular: 'pod',
  columns,
  row,
  generation: 'spec',
  status: true,
  answersDeleted: true,
  default: (pod) => ({ ...pod, spec: { restartPolicy: 'Always', ...pod.spec! } }),
  prepareCreate: (pod) => ({ ...pod, status: { phase: 'Pending' } }),
  validate: (pod) => (pod.spec?.containers?.length ? [] : [required('spec.containers')]),
  graceful: (pod, { gracePeriodSeconds }) => (pod.spec?.nodeName ? (gracePeriodSeconds ?? 30) : 0),
  fields: (pod) => ({ 'spec.nodeName': pod.spec?.nodeName ?? '' }),
}

async function server() {
  const made = createTestServer({ kinds: () => [configMapKind, namespaceKind, podKind] as Kind[] })
  await made.request('POST', '/api/v1/namespaces', { body: { metadata: { name: 'default' } } })
  return made
}
const maps = '/api/v1/namespaces/default/configmaps'
const podsPath = '/api/v1/namespaces/default/pods'
const pod = (name: string, more: object = {}) => ({
  metadata: { name, ...more },
  spec: { containers: [{ name: 'c', image: 'i' }] },
})

test('create: what the server fills in', async () => {
  await using api = await server()
  const { code, body } = await api.request('POST', podsPath, { body: pod('a', { uid: 'mine', generation: 7 }) })
  assert.equal(code, 201)
  const { uid, managedFields: _, ...metadata } = body.metadata
  assert.deepEqual(metadata, {
    resourceVersion: '2',
    name: 'a',
    namespace: 'default',
    creationTimestamp: '2026-11-21T00:00:00Z',
    generation: 1,
  })
  assert.notEqual(uid, 'mine')
  assert.deepEqual(body.status, { phase: 'Pending' })
  assert.equal(body.spec.restartPolicy, 'Always')
})

test('create: what is refused, in which words', async () => {
  await using api = await server()
  await api.request('POST', maps, { body: { metadata: { name: 'there' } } })
  const cases: readonly [string, string, object, number, string][] = [
    ['name taken', maps, { metadata: { name: 'there' } }, 409, 'configmaps "there" already exists'],
    [
      'no name',
      maps,
      {},
      422,
      'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required',
    ],
    [
      'bad name',
      maps,
      { metadata: { name: 'A_b' } },
      422,
      `ConfigMap "A_b" is invalid: metadata.name: Invalid value: "A_b": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`,
    ],
    [
      'other namespace',
      maps,
      { metadata: { name: 'x', namespace: 'other' } },
      400,
      'the namespace of the provided object does not match the namespace sent on the request',
    ],
    [
      'no such namespace',
      '/api/v1/namespaces/nope/configmaps',
      { metadata: { name: 'x' } },
      404,
      'namespaces "nope" not found',
    ],
    [
      'resourceVersion',
      maps,
      { metadata: { name: 'x', resourceVersion: '1' } },
      500,
      'resourceVersion should not be set on objects to be created',
    ],
    [
      'other kind',
      maps,
      { kind: 'Pod', metadata: { name: 'x' } },
      400,
      'Pod in version "v1" cannot be handled as a ConfigMap: converting (v1.Pod) to (core.ConfigMap): unknown conversion',
    ],
    [
      'invalid',
      podsPath,
      { metadata: { name: 'x' }, spec: { containers: [] } },
      422,
      'Pod "x" is invalid: spec.containers: Required value',
    ],
  ]
  for (const [name, url, body, code, message] of cases) {
    const reply = await api.request('POST', url, { body })
    assert.deepEqual([reply.code, reply.body.message], [code, message], name)
  }
})

test('create: generateName, dry run, field validation', async () => {
  await using api = await server()
  const first = await api.request('POST', maps, { body: { metadata: { generateName: 'web-' } } })
  assert.match(first.body.metadata.name, /^web-[a-z0-9]{5}$/)
  const dry = await api.request('POST', `${maps}?dryRun=All`, { body: { metadata: { name: 'dry' } } })
  assert.deepEqual([dry.code, dry.body.metadata.resourceVersion], [201, undefined])
  assert.equal((await api.request('GET', `${maps}/dry`)).code, 404)
  const body = { metadata: { name: 'x' }, data: {}, extra: 1 }
  const strict = await api.request('POST', `${maps}?fieldValidation=Strict`, { body })
  assert.deepEqual(
    [strict.code, strict.body.message],
    [400, 'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "extra"'],
  )
  const warned = await api.request('POST', maps, { body })
  assert.deepEqual([warned.code, warned.warnings, warned.body.extra], [201, ['unknown field "extra"'], undefined])
})

test('update: resourceVersion and uid guard it, the server keeps its own', async () => {
  await using api = await server()
  const made = (await api.request('POST', podsPath, { body: pod('a') })).body
  const put = (change: object, metadata: object = {}) =>
    api.request('PUT', `${podsPath}/a`, { body: { ...made, ...change, metadata: { ...made.metadata, ...metadata } } })
  const same = await put({})
  assert.equal(same.body.metadata.resourceVersion, made.metadata.resourceVersion)
  const next = await put(
    { spec: { ...made.spec, nodeName: 'n' }, status: { phase: 'Running' } },
    { generation: 9, creationTimestamp: null },
  )
  assert.deepEqual(
    [next.code, next.body.metadata.generation, next.body.metadata.creationTimestamp, next.body.status.phase],
    [200, 2, '2026-11-21T00:00:00Z', 'Pending'],
  )
  const late = await put({ spec: { ...made.spec, nodeName: 'm' } })
  assert.deepEqual(
    [late.code, late.body.reason, late.body.message],
    [
      409,
      'Conflict',
      'Operation cannot be fulfilled on pods "a": the object has been modified; please apply your changes to the latest version and try again',
    ],
  )
  const other = await put({}, { uid: 'other', resourceVersion: '' })
  assert.match(other.body.message, /Precondition failed: UID in precondition: other, UID in object meta: /)
  const wrongName = await api.request('PUT', `${podsPath}/b`, { body: made })
  assert.equal(wrongName.body.message, 'the name of the object (a) does not match the name on the URL (b)')
})

test('status: its own half of the object', async () => {
  await using api = await server()
  await api.request('POST', podsPath, { body: pod('a') })
  const body = { metadata: { name: 'a', labels: { l: '1' } }, spec: { containers: [] }, status: { phase: 'Running' } }
  const reply = await api.request('PUT', `${podsPath}/a/status`, { body })
  assert.deepEqual(
    [reply.code, reply.body.status, reply.body.spec.containers.length, reply.body.metadata.generation],
    [200, { phase: 'Running' }, 1, 1],
  )
  assert.equal((await api.request('GET', `${podsPath}/a/status`)).body.status.phase, 'Running')
})

test('delete: at once, with grace, held by finalizers', async () => {
  await using api = await server()
  await api.request('POST', maps, { body: { metadata: { name: 'm' } } })
  const gone = await api.request('DELETE', `${maps}/m`, { body: { propagationPolicy: 'Background' } })
  assert.deepEqual(
    [gone.code, gone.body.status, gone.body.details.name, gone.body.details.kind],
    [200, 'Success', 'm', 'configmaps'],
  )
  assert.equal((await api.request('GET', `${maps}/m`)).body.message, 'configmaps "m" not found')

  await api.request('POST', podsPath, { body: { ...pod('p'), spec: { ...pod('p').spec, nodeName: 'n' } } })
  const marked = await api.request('DELETE', `${podsPath}/p`)
  assert.deepEqual(
    [
      marked.body.metadata.deletionTimestamp,
      marked.body.metadata.deletionGracePeriodSeconds,
      marked.body.metadata.generation,
    ],
    ['2026-11-21T00:00:30Z', 30, 2],
  )
  const ended = await api.request('DELETE', `${podsPath}/p`, { body: { gracePeriodSeconds: 0 } })
  assert.equal(ended.body.kind, 'Pod')
  assert.equal((await api.request('GET', `${podsPath}/p`)).code, 404)

  await api.request('POST', maps, { body: { metadata: { name: 'f', finalizers: ['example.com/x'] } } })
  const held = await api.request('DELETE', `${maps}/f`, { body: { propagationPolicy: 'Foreground' } })
  assert.deepEqual(held.body.metadata.finalizers, ['example.com/x', 'foregroundDeletion'])
  const more = { ...held.body, metadata: { ...held.body.metadata, finalizers: ['example.com/x', 'example.com/new'] } }
  const refused = await api.request('PUT', `${maps}/f`, { body: more })
  assert.equal(
    refused.body.message,
    'ConfigMap "f" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"example.com/new"}',
  )
  const freed = { ...held.body, metadata: { ...held.body.metadata, finalizers: [] } }
  assert.equal((await api.request('PUT', `${maps}/f`, { body: freed })).code, 200)
  assert.equal((await api.request('GET', `${maps}/f`)).code, 404)
})

test('delete: preconditions; of a namespace that is being emptied', async () => {
  await using api = await server()
  await api.request('POST', maps, { body: { metadata: { name: 'm' } } })
  const refused = await api.request('DELETE', `${maps}/m`, { body: { preconditions: { uid: 'x' } } })
  assert.equal(refused.code, 409)
  assert.match(refused.body.message, /the UID in the precondition \(x\) does not match the UID in record/)
  await api.request('POST', '/api/v1/namespaces', {
    body: { metadata: { name: 'n' }, spec: { finalizers: ['kubernetes'] } },
  })
  await api.request('DELETE', '/api/v1/namespaces/n')
  const late = await api.request('POST', '/api/v1/namespaces/n/configmaps', { body: { metadata: { name: 'm' } } })
  assert.deepEqual(
    [late.code, late.body.message, late.body.details.causes[0].reason],
    [
      403,
      'configmaps "m" is forbidden: unable to create new content in namespace n because it is being terminated',
      'NamespaceTerminating',
    ],
  )
})

test('deletecollection takes what the selector picks', async () => {
  await using api = await server()
  for (const [name, app] of [
    ['a', 'x'],
    ['b', 'y'],
    ['c', 'x'],
  ])
    await api.request('POST', maps, { body: { metadata: { name, labels: { app } } } })
  const { code } = await api.request('DELETE', `${maps}?labelSelector=app%3Dx`)
  assert.equal(code, 200)
  const left = await api.request('GET', maps)
  assert.deepEqual(
    left.body.items.map((item: ConfigMap) => item.metadata?.name),
    ['b'],
  )
})

test('unknown paths and methods', async () => {
  await using api = await server()
  const answers = await Promise.all([
    api.request('GET', '/api/v1/nothings'),
    api.request('GET', '/apis/example.com/v1/things'),
    api.request('GET', `${podsPath}/a/nothing`),
    api.request('POST', `${maps}/x`, { body: {} }),
  ])
  assert.deepEqual(
    answers.map(({ code, body }) => [code, body.reason]),
    [
      [404, 'NotFound'],
      [404, 'NotFound'],
      [404, 'NotFound'],
      [405, 'MethodNotAllowed'],
    ],
  )
})
