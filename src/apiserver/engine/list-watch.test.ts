// Lists in pages and at revisions; watches from anywhere.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { configMaps, namespaces, type ConfigMap, type Namespace } from '#api/core.ts'
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
  fields: (map) => ({ 'data.color': map.data?.['color'] ?? '' }),
}
const namespaceKind: Kind<Namespace> = {
  resource: namespaces,
  type: 'core.Namespace',
  singular: 'namespace',
  columns,
  row,
}
const maps = '/api/v1/namespaces/a/configmaps'
const all = '/api/v1/configmaps'

async function server() {
  const api = createTestServer({ kinds: () => [configMapKind, namespaceKind] as Kind[] })
  for (const name of ['a', 'a-b']) await api.request('POST', '/api/v1/namespaces', { body: { metadata: { name } } })
  const create = (
    name: string,
    { namespace = 'a', ...more }: { namespace?: string; labels?: object; color?: string } = {},
  ) =>
    api.request('POST', `/api/v1/namespaces/${namespace}/configmaps`, {
      body: { metadata: { name, labels: more.labels }, ...(more.color ? { data: { color: more.color } } : {}) },
    })
  return Object.assign(api, { create })
}
const names = (body: { items: ConfigMap[] }) =>
  body.items.map(({ metadata }) => `${metadata?.namespace}/${metadata?.name}`)

test('list: order, selectors, pages', async () => {
  await using api = await server()
  for (const name of ['c', 'a', 'b']) await api.create(name, { labels: { app: name === 'b' ? 'y' : 'x' } })
  await api.create('z', { namespace: 'a-b', color: 'red' })
  const get = async (query: string) => (await api.request('GET', `${all}?${query}`)).body
  assert.deepEqual(names(await get('')), ['a-b/z', 'a/a', 'a/b', 'a/c'])
  assert.deepEqual(names((await api.request('GET', maps)).body), ['a/a', 'a/b', 'a/c'])
  assert.deepEqual(names(await get('labelSelector=app%3Dx')), ['a/a', 'a/c'])
  assert.deepEqual(names(await get('fieldSelector=metadata.name%3Dz')), ['a-b/z'])
  assert.deepEqual(names(await get('fieldSelector=data.color%3Dred,metadata.namespace!%3Da')), ['a-b/z'])
  const first = await get('limit=2')
  assert.deepEqual([names(first), first.metadata.remainingItemCount], [['a-b/z', 'a/a'], 2])
  await api.request('DELETE', `${maps}/b`)
  await api.create('bb')
  const second = await get(`limit=2&continue=${first.metadata.continue}`)
  assert.deepEqual(
    [names(second), second.metadata.continue],
    [['a/b', 'a/c'], undefined],
    'as it was at the first page',
  )
  assert.equal(second.metadata.resourceVersion, first.metadata.resourceVersion)
})

test('list: pages of what was there are no more than what they show, whatever is written meanwhile', async () => {
  await using api = await server()
  const count = 60
  const name = (n: number) => `m${String(n).padStart(3, '0')}`
  for (let n = 0; n < count; n++) await api.create(name(n), { labels: { even: String(n % 2 === 0) } })
  const read: number[] = []
  const { parts } = api.store
  api.store.parts = async function* (prefix, options) {
    for await (const part of parts.call(api.store, prefix, options)) {
      read.push(part.items.length)
      yield part
    }
  }
  const pagesOf = async (query: string) => {
    const seen: string[] = []
    for (let token = ''; ;) {
      const { body } = await api.request('GET', `${maps}?limit=7&${query}&continue=${token}`)
      seen.push(...names(body))
      token = body.metadata.continue
      if (token === undefined) return seen
      const [, last = ''] = seen.at(-1)!.split('/')
      await api.request('DELETE', `${maps}/${last}`)
      await api.create(`${last}x`, { labels: { even: 'true' } })
    }
  }
  const all = Array.from({ length: count }, (_, n) => n)
  assert.deepEqual(
    await pagesOf(''),
    all.map((n) => `a/${name(n)}`),
  )
  assert.ok(read.length > 5 && read.every((length) => length <= 8), `each reads one page: ${read.join()}`)
  const before = (await api.request('GET', `${maps}?labelSelector=even%3Dtrue`)).body
  assert.deepEqual(await pagesOf('labelSelector=even%3Dtrue'), names(before))
})

test('list: what is refused, in which words', async () => {
  await using api = await server()
  await api.create('m')
  const revision = await api.store.revision()
  const cases: readonly [string, number, string][] = [
    ['fieldSelector=spec.x%3D1', 400, 'field label not supported: spec.x'],
    ['continue=xx', 400, 'invalid continue token: continue key is not valid'],
    [
      'resourceVersionMatch=Exact',
      422,
      'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided',
    ],
    [
      `resourceVersion=${revision + 5}`,
      504,
      `Timeout: Too large resource version: ${revision + 5}, current: ${revision}`,
    ],
    [
      'resourceVersion=x',
      400,
      'invalid resource version: resourceVersion: Invalid value: "x": strconv.ParseUint: parsing "x": invalid syntax',
    ],
  ]
  for (const [query, code, message] of cases) {
    const { code: got, body } = await api.request('GET', `${all}?${query}`)
    assert.deepEqual([got, body.message], [code, message], query)
  }
})

test('list: at an older revision, and once that is forgotten', async () => {
  await using api = await server()
  await api.create('m')
  const then = await api.store.revision()
  await api.create('n')
  const exact = await api.request('GET', `${all}?resourceVersion=${then}&resourceVersionMatch=Exact`)
  assert.deepEqual([names(exact.body), exact.body.metadata.resourceVersion], [['a/m'], String(then)])
  const page = (await api.request('GET', `${all}?limit=1`)).body
  await api.create('o')
  await api.store.compact(await api.store.revision())
  const late = await api.request('GET', `${all}?resourceVersion=${then}&resourceVersionMatch=Exact`)
  assert.deepEqual(
    [late.code, late.body.reason, late.body.message],
    [410, 'Expired', 'The resourceVersion for the provided list is too old.'],
  )
  const lost = await api.request('GET', `${all}?limit=1&continue=${page.metadata.continue}`)
  assert.equal(lost.code, 410)
  assert.match(lost.body.message, /^The provided continue parameter is too old/)
  const onward = await api.request('GET', `${all}?continue=${lost.body.metadata.continue}`)
  assert.deepEqual(names(onward.body), ['a/n', 'a/o'])
})

test('watch: changes from a revision on, and what a selector makes of them', async () => {
  await using api = await server()
  const made = (await api.create('m', { labels: { app: 'x' } })).body
  const from = made.metadata.resourceVersion
  const every = await api.watch(`${all}?watch=true&resourceVersion=${from}`)
  const selected = await api.watch(`${maps}?watch=true&resourceVersion=${from}&labelSelector=app%3Dx`)
  const put = (labels: object) =>
    api.request('PUT', `${maps}/m`, { body: { ...made, metadata: { ...made.metadata, resourceVersion: '', labels } } })
  await put({ app: 'y' })
  await put({ app: 'x' })
  await put({ app: 'x', more: '1' })
  await api.request('DELETE', `${maps}/m`)
  await api.create('other', { namespace: 'a-b' })
  const shape = (watch: typeof every) =>
    watch.lines.map(
      ({ type, object }) =>
        `${type} ${object.metadata?.name} ${object.metadata?.labels?.['app'] ?? '-'} ${Number(object.metadata?.resourceVersion) - from}`,
    )
  assert.deepEqual(shape(every), [
    'MODIFIED m y 1',
    'MODIFIED m x 2',
    'MODIFIED m x 3',
    'DELETED m x 4',
    'ADDED other - 5',
  ])
  assert.deepEqual(shape(selected), ['DELETED m x 1', 'ADDED m x 2', 'MODIFIED m x 3', 'DELETED m x 4'])
  const late = await api.watch(`${all}?watch=true&resourceVersion=${from}`)
  assert.deepEqual(shape(late), shape(every), 'whoever comes later sees the same')
  every.stop()
  await put({}).catch(() => {})
  await api.create('m2')
  assert.equal(every.lines.length, 5)
})

test('watch: state first, and the bookmark that ends it', async () => {
  await using api = await server()
  await api.create('m')
  const plain = await api.watch(`${all}?watch=true`)
  const streamed = await api.watch(
    `${all}?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`,
  )
  await api.create('n')
  assert.deepEqual(
    plain.lines.map(({ type }) => type),
    ['ADDED', 'ADDED'],
  )
  assert.deepEqual(
    streamed.lines.map(({ type }) => type),
    ['ADDED', 'BOOKMARK', 'ADDED'],
  )
  const { metadata } = streamed.lines[1]!.object
  assert.deepEqual(metadata, { resourceVersion: '3', annotations: { 'k8s.io/initial-events-end': 'true' } })
})

test('watch: history older than the ring comes from the store, and what is forgotten is 410', async () => {
  await using api = await server()
  await api.create('m')
  const from = await api.store.revision()
  for (let n = 0; n < 2100; n++) await api.create(`x${n}`)
  const watch = await api.watch(`${all}?watch=true&resourceVersion=${from}`)
  assert.equal(watch.lines.length, 2100)
  await api.store.compact(from + 10)
  await assert.rejects(api.watch(`${all}?watch=true&resourceVersion=${from}`), /too old resource version: 3 \(2103\)/)
  const refused = await api.request('GET', `${all}?watch=true&sendInitialEvents=true`)
  assert.match(refused.body.message, /sendInitialEvents requires setting resourceVersionMatch to NotOlderThan/)
})

test('representations: table, metadata only, yaml, none', async () => {
  await using api = await server()
  await api.create('m', { color: 'red' })
  const get = (accept: string, query = '') => api.request('GET', `${maps}${query}`, { headers: { accept } })
  const table = (await get('application/json;as=Table;v=v1;g=meta.k8s.io,application/json')).body
  assert.deepEqual(
    [table.kind, table.apiVersion, table.rows[0].cells, table.rows[0].object.kind],
    ['Table', 'meta.k8s.io/v1', ['m'], 'PartialObjectMetadata'],
  )
  assert.equal(table.columnDefinitions[0].name, 'Name')
  const whole = (await get('application/json;as=Table;v=v1;g=meta.k8s.io', '?includeObject=Object')).body
  assert.equal(whole.rows[0].object.data.color, 'red')
  const partial = (await get('application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1')).body
  assert.deepEqual(
    [partial.kind, partial.items[0].kind, partial.items[0].data],
    ['PartialObjectMetadataList', 'PartialObjectMetadata', undefined],
  )
  assert.match((await get('application/yaml')).text, /^kind: ConfigMapList\n/)
  assert.equal((await get('application/vnd.kubernetes.protobuf,application/json')).body.kind, 'ConfigMapList')
  assert.deepEqual((await get('text/html')).code, 406)
  const watch = await api.watch(`${maps}?watch=true`, {
    headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' },
  })
  await api.create('n')
  const tables = watch.lines.map(
    ({ object }) => object as unknown as { rows: { cells: string[] }[]; columnDefinitions: [] },
  )
  assert.deepEqual(
    tables.map(({ rows, columnDefinitions }) => [rows[0]!.cells[0], columnDefinitions.length]),
    [
      ['m', 1],
      ['n', 0],
    ],
  )
})
