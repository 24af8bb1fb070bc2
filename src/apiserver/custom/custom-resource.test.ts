// Custom resources from their definition to their end. The texts and codes are what kube-apiserver 1.36 answers to the
// same requests.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { gnosticMediaType } from '#api/openapi/gnostic.ts'
import {
  answers,
  apply,
  define,
  definitions,
  merge,
  path,
  startCustom,
  until,
  widget,
  widgets,
} from '#test/custom-definitions.ts'

test('status, scale, patches, tables and selectors', async () => {
  await using api = await startCustom()
  await define(api, 'widget')
  const made = await api.request('POST', widgets, { body: { ...widget({ size: 2 }), status: { replicas: 5 } } })
  assert.deepEqual([made.code, made.body.status, made.body.metadata.generation], [201, undefined, 1])
  const patch = (url: string, body: unknown, headers = merge) => api.request('PATCH', url, { body, headers })
  const none = await api.request('GET', `${widgets}/w/scale`)
  assert.equal(none.body.message, 'Internal error occurred: the spec replicas field ".spec.replicas" does not exist')
  const merged = await patch(`${widgets}/w`, { spec: { replicas: 2, size: null, extra: 1 }, status: { replicas: 9 } })
  assert.deepEqual(merged.body.spec, { color: 'red', deep: { x: 'd' }, replicas: 2, size: 3 })
  assert.deepEqual(
    [merged.warnings, merged.body.status, merged.body.metadata.generation],
    [['unknown field "spec.extra"'], undefined, 2],
  )
  const strategic = await patch(
    `${widgets}/w`,
    { spec: {} },
    { 'content-type': 'application/strategic-merge-patch+json' },
  )
  assert.deepEqual(
    [strategic.code, strategic.body.message],
    [
      415,
      'the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml',
    ],
  )
  const status = { replicas: 1, selector: 'a=b', conditions: [{ type: 'Ready', status: 'True' }] }
  const updated = await patch(`${widgets}/w/status`, { metadata: { labels: { a: 'b' } }, spec: { size: 9 }, status })
  assert.deepEqual(
    [updated.body.status, updated.body.spec.size, updated.body.metadata.labels, updated.body.metadata.generation],
    [status, 3, undefined, 2],
  )
  const scale = await patch(`${widgets}/w/scale`, { spec: { replicas: 4 } })
  assert.deepEqual([scale.body.spec, scale.body.status], [{ replicas: 4 }, { replicas: 1, selector: 'a=b' }])
  const put = await api.request('PUT', `${widgets}/w`, { body: widget({ size: 2 }) })
  assert.equal(
    put.body.message,
    'widgets.example.com "w" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update',
  )
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io'
  const table = await api.request('GET', widgets, { headers: { accept } })
  assert.deepEqual(
    table.body.columnDefinitions.map(({ name }: { name: string }) => name),
    ['Name', 'Size', 'Ready', 'Age'],
  )
  assert.deepEqual(table.body.rows[0].cells, ['w', 3, 'True', '0s'])
  await api.request('POST', widgets, { body: widget({ color: 'green' }, 'g') })
  const selected = await api.request('GET', `${widgets}?fieldSelector=spec.color%3Dgreen`)
  assert.deepEqual(
    [selected.body.kind, selected.body.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name)],
    ['WidgetList', ['g']],
  )
})

test('server-side apply: lists by their keys, unknown maps member by member', async () => {
  await using api = await startCustom()
  await define(api, 'widget')
  const by = (manager: string, spec: unknown, force = '') =>
    api.request('PATCH', `${widgets}/x?fieldManager=${manager}${force}`, { body: widget(spec, 'x'), headers: apply })
  await by('a', { size: 3, ports: [{ port: 1, name: 'a' }], tags: ['x'], any: { k: { l: [1] } } })
  const both = await by('b', { ports: [{ port: 2 }], tags: ['y'], any: { k: { m: 1 } } })
  assert.deepEqual(both.body.spec, {
    size: 3,
    color: 'red',
    deep: { x: 'd' },
    ports: [
      { port: 1, proto: 'TCP', name: 'a' },
      { port: 2, proto: 'TCP' },
    ],
    tags: ['x', 'y'],
    any: { k: { l: [1], m: 1 } },
  })
  const conflict = await by('b', { size: 4 })
  assert.deepEqual(
    [conflict.code, conflict.body.message],
    [409, 'Apply failed with 1 conflict: conflict with "a": .spec.size'],
  )
  const forced = await by('b', { size: 4 }, '&force=true')
  assert.deepEqual(forced.body.spec.ports, [{ port: 1, proto: 'TCP', name: 'a' }])
  assert.deepEqual(
    forced.body.metadata.managedFields.map(({ fieldsV1 }: { fieldsV1: unknown }) => fieldsV1),
    [
      {
        'f:spec': {
          'f:any': { 'f:k': { '.': {}, 'f:l': {} } },
          'f:ports': { 'k:{"port":1,"proto":"TCP"}': { '.': {}, 'f:name': {}, 'f:port': {} } },
          'f:tags': { 'v:"x"': {} },
        },
      },
      { 'f:spec': { 'f:size': {} } },
    ],
  )
  const unknown = await by('c', { nope: 1 })
  assert.equal(
    unknown.body.message,
    'failed to create typed patch object (/x; example.com/v1, Kind=Widget): .spec.nope: field not declared in schema',
  )
})

test('versions: one object in two forms, a deprecated one with a warning', async () => {
  await using api = await startCustom()
  const made = await define(api, 'gateway')
  assert.deepEqual(made.warnings, [
    'spec.versions "v1": 1 rule in x-kubernetes-validations (CEL) are kept, but not run',
  ])
  const at = (version: string) => `/apis/gateway.networking.k8s.io/${version}/namespaces/default/gateways`
  const spec = { gatewayClassName: 'c', listeners: [{ name: 'http', port: 80, protocol: 'HTTP', weight: 1 }] }
  const old = { apiVersion: 'gateway.networking.k8s.io/v1beta1', kind: 'Gateway', metadata: { name: 'g' } }
  const created = await api.request('POST', at('v1beta1'), {
    body: { ...old, spec: { ...spec, listeners: [{ ...spec.listeners[0], extra: 1 }] } },
  })
  assert.deepEqual(created.warnings, ['gateway.networking.k8s.io/v1beta1 Gateway is deprecated'])
  const now = await api.request('GET', `${at('v1')}/g`)
  assert.deepEqual(
    [now.body.apiVersion, now.body.spec, now.body.status],
    ['gateway.networking.k8s.io/v1', spec, { conditions: [{ type: 'Accepted', status: 'Unknown' }] }],
  )
  assert.equal((await api.request('GET', `${at('v1beta1')}/g`)).body.spec.listeners[0].extra, 1)
  const watch = await api.watch(`${at('v1')}?watch=true&resourceVersion=${now.body.metadata.resourceVersion}`)
  await api.request('PATCH', `${at('v1beta1')}/g`, { body: { metadata: { labels: { a: 'b' } } }, headers: merge })
  assert.deepEqual(
    watch.lines.map(({ type, object }) => [type, object.apiVersion]),
    [['MODIFIED', 'gateway.networking.k8s.io/v1']],
  )
  watch.stop()
  const bad = { gatewayClassName: '', listeners: [{ name: 'http', port: 0, protocol: '!' }] }
  const refused = await api.request('POST', at('v1'), {
    body: { ...old, apiVersion: 'gateway.networking.k8s.io/v1', spec: bad },
  })
  assert.deepEqual(
    refused.body.details.causes.map(({ field }: { field: string }) => field),
    ['spec.gatewayClassName', 'spec.listeners[0].port', 'spec.listeners[0].protocol'],
  )
})

test('discovery and schemas are there at once, and go with the definition', async () => {
  await using api = await startCustom()
  assert.equal((await api.request('GET', '/apis/ceph.rook.io/v1beta1')).code, 404)
  const defined = await define(api, 'pool')
  const conditions = (await api.request('GET', `${path}/pools.ceph.rook.io`)).body.status.conditions
  assert.deepEqual(
    conditions.map(({ type, status, reason }: Record<string, string>) => `${type}=${status} ${reason}`),
    ['NamesAccepted=True NoConflicts', 'Established=True InitialNamesAccepted'],
  )
  const group = await api.request('GET', '/apis/ceph.rook.io/v1beta1')
  assert.deepEqual(
    group.body.resources.map(({ name, kind }: Record<string, string>) => [name, kind]),
    [['pools', 'Pool']],
  )
  const v3 = await api.request('GET', '/openapi/v3/apis/ceph.rook.io/v1beta1')
  const schema = v3.body.components.schemas['io.rook.ceph.v1beta1.Pool']
  assert.deepEqual(schema.properties.spec.properties.replicated.properties.size, {
    type: 'integer',
    minimum: 1,
    maximum: 9,
  })
  assert.deepEqual(schema['x-kubernetes-group-version-kind'], [
    { group: 'ceph.rook.io', kind: 'Pool', version: 'v1beta1' },
  ])
  const v2 = await api.request('GET', '/openapi/v2')
  assert.ok(v2.body.definitions['io.rook.ceph.v1beta1.PoolList'])
  const gnostic = await api.request('GET', '/openapi/v2', { headers: { accept: gnosticMediaType } })
  assert.match(gnostic.text, /io\.rook\.ceph\.v1beta1\.Pool/)
  const pools = '/apis/ceph.rook.io/v1beta1/namespaces/default/pools'
  const pool = {
    apiVersion: 'ceph.rook.io/v1beta1',
    kind: 'Pool',
    metadata: { name: 'replicapool', finalizers: ['a/b'] },
  }
  const made = await api.request('POST', pools, { body: { ...pool, spec: { replicated: { size: 3 } } } })
  assert.equal(made.code, 201, made.text)

  const going = await api.request('DELETE', `${path}/pools.ceph.rook.io`)
  assert.deepEqual(going.body.metadata.finalizers, ['customresourcecleanup.apiextensions.k8s.io'])
  const isGoing = async () => (await api.request('GET', `${pools}/replicapool`)).body.metadata.deletionTimestamp
  await until(async () => (await isGoing()) !== undefined, 'the pool is going')
  assert.equal((await api.request('POST', pools, { body: pool })).code, 405, 'nothing new while it goes')
  await api.request('PATCH', `${pools}/replicapool`, { body: { metadata: { finalizers: [] } }, headers: merge })
  await answers(api, `${path}/pools.ceph.rook.io`, 404)
  await answers(api, pools, 404)
  assert.equal((await api.request('GET', '/openapi/v3/apis/ceph.rook.io/v1beta1')).code, 404)
  const { uid } = defined.body.metadata
  assert.notEqual((await define(api, 'pool')).body.metadata.uid, uid)
})

test('names that others have are not given', async () => {
  await using api = await startCustom()
  await define(api, 'widget')
  const second = structuredClone(definitions.widget) as unknown as Record<string, Record<string, unknown>>
  second['metadata'] = { name: 'gadgets.example.com' }
  second['spec'] = { ...second['spec'], names: { plural: 'gadgets', kind: 'Widget', shortNames: ['wd'] } }
  await api.request('POST', path, { body: second })
  const statusNow = async () => (await api.request('GET', `${path}/gadgets.example.com`)).body.status
  await until(async () => (await statusNow()).conditions?.length === 2, 'conditions')
  const status = await statusNow()
  assert.deepEqual(
    status.conditions.map(({ type, status, reason, message }: Record<string, string>) => [
      type,
      status,
      reason,
      message,
    ]),
    [
      ['NamesAccepted', 'False', 'ListKindConflict', '"WidgetList" is already in use'],
      ['Established', 'False', 'NotAccepted', 'not all names are accepted'],
    ],
  )
  assert.equal((await api.request('GET', '/apis/example.com/v1/gadgets')).code, 404)
  await api.request('DELETE', `${path}/widgets.example.com`)
  await answers(api, '/apis/example.com/v1/gadgets', 200)
})

test('a changed schema counts from then on, also for what is stored', async () => {
  await using api = await startCustom()
  await define(api, 'pool')
  const pools = '/apis/ceph.rook.io/v1beta1/namespaces/default/pools'
  const pool = {
    apiVersion: 'ceph.rook.io/v1beta1',
    kind: 'Pool',
    metadata: { name: 'p' },
    spec: { failureDomain: 'host' },
  }
  await api.request('POST', pools, { body: pool })
  const watch = await api.watch(`${pools}?watch=true`)
  const versions = structuredClone(definitions.pool.spec.versions) as unknown as {
    schema: { openAPIV3Schema: { properties: Record<string, unknown> } }
  }[]
  versions[0]!.schema.openAPIV3Schema.properties['spec'] = {
    type: 'object',
    properties: { tier: { type: 'string', default: 'hot' } },
  }
  await api.request('PATCH', `${path}/pools.ceph.rook.io`, { body: { spec: { versions } }, headers: merge })
  const specNow = async () => (await api.request('GET', `${pools}/p`)).body?.spec
  await until(async () => (await specNow())?.tier === 'hot', 'the new default')
  assert.deepEqual(await specNow(), { tier: 'hot' })
  assert.equal(watch.lines.length, 1)
  watch.stop()
})
