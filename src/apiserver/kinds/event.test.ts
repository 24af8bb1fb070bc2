import assert from 'node:assert/strict'
import { test } from 'node:test'
import { kinds } from '#apiserver/kinds.ts'
import { createTestServer } from '#test/api-server.ts'

const core = '/api/v1/namespaces/default/events'
const newer = '/apis/events.k8s.io/v1/namespaces/default/events'

async function prepared() {
  const api = createTestServer({
    kinds: (objects) =>
      kinds({ serviceClusterIpRanges: ['10.0.0.0/24'], serviceNodePortRange: '30000-30010', objects }),
  })
  await api.request('POST', '/api/v1/namespaces', { body: { metadata: { name: 'default' } } })
  return api
}

const regarding = { kind: 'Pod', namespace: 'default', name: 'p' }
const event = {
  metadata: { name: 'e' },
  eventTime: '2026-11-21T00:00:00.123456Z',
  reportingController: 'example.com/reporter',
  reportingInstance: 'one',
  action: 'Bind',
  reason: 'Bound',
  type: 'Normal',
  note: 'all is well',
  regarding,
}

test('Events: what is written in one form is read, listed and watched in the other', async () => {
  await using api = await prepared()
  const watch = await api.watch(`/api/v1/events?watch=true`)
  const made = await api.request('POST', newer, { body: event })
  assert.equal(made.code, 201, made.text)
  const { body: old } = await api.request('GET', `${core}/e`)
  const { apiVersion, involvedObject, message, reportingComponent, source } = old
  assert.deepEqual(
    { apiVersion, involvedObject, message, reportingComponent, source },
    {
      apiVersion: 'v1',
      involvedObject: regarding,
      message: 'all is well',
      reportingComponent: 'example.com/reporter',
      source: {},
    },
  )
  assert.equal(old.metadata.resourceVersion, made.body.metadata.resourceVersion)
  const { body: list } = await api.request('GET', `${newer}?fieldSelector=regarding.name%3Dp`)
  assert.deepEqual([list.apiVersion, list.kind, list.items[0].note], ['events.k8s.io/v1', 'EventList', 'all is well'])
  // The list says what its items are, and they do not.
  for (const url of [core, newer]) {
    const [item] = (await api.request('GET', url)).body.items
    assert.deepEqual([item.apiVersion, item.kind, item.metadata.name], [undefined, undefined, 'e'])
  }
  const patched = await api.request('PATCH', `${newer}/e`, {
    body: { series: { count: 2, lastObservedTime: '2026-11-21T00:00:01.000000Z' } },
    headers: { 'content-type': 'application/merge-patch+json' },
  })
  assert.equal(patched.code, 200, patched.text)
  assert.equal((await api.request('GET', `${core}/e`)).body.series.count, 2)
  assert.equal((await api.request('DELETE', `${newer}/e`)).code, 200)
  assert.equal((await api.request('GET', `${core}/e`)).code, 404)
  assert.deepEqual(
    watch.lines.map(({ type, object }) => `${type} ${object.apiVersion}`),
    ['ADDED v1', 'MODIFIED v1', 'DELETED v1'],
  )
  watch.stop()
})

test('Events: the older form is there in the newer one', async () => {
  await using api = await prepared()
  const old = {
    metadata: { name: 'o' },
    involvedObject: regarding,
    message: 'old',
    source: { component: 'kubelet' },
    count: 3,
    firstTimestamp: '2026-11-21T00:00:00Z',
  }
  assert.equal((await api.request('POST', core, { body: old })).code, 201)
  const { body } = await api.request('GET', `${newer}/o`)
  const { note, deprecatedSource, deprecatedCount, deprecatedFirstTimestamp } = body
  assert.deepEqual(
    { note, deprecatedSource, deprecatedCount, deprecatedFirstTimestamp },
    {
      note: 'old',
      deprecatedSource: { component: 'kubelet' },
      deprecatedCount: 3,
      deprecatedFirstTimestamp: '2026-11-21T00:00:00Z',
    },
  )
})

const refusals: [name: string, change: object, message: string][] = [
  ['without a time', { eventTime: null }, 'eventTime: Required value'],
  ['of no type', { type: 'Odd' }, 'type: Invalid value: "": has invalid value: Odd'],
  ['with an old count', { deprecatedCount: 1 }, 'count: Invalid value: "": needs to be unset'],
  ['with an old source', { deprecatedSource: { component: 'a' } }, 'source: Invalid value: "": needs to be unset'],
  [
    'a series of one',
    { series: { count: 1, lastObservedTime: '2026-11-21T00:00:01.000000Z' } },
    'series.count: Invalid value: "": should be at least 2',
  ],
  ['without a reason', { reason: '' }, 'reason: Required value'],
]

// Facts of upstream's pkg/apis/core/validation/events_test.go.
for (const [name, change, message] of refusals)
  test(`Events of events.k8s.io: ${name}`, async () => {
    await using api = await prepared()
    const { code, body } = await api.request('POST', newer, { body: { ...event, ...change } })
    assert.deepEqual([code, body.message], [422, `Event.events.k8s.io "e" is invalid: ${message}`])
  })

test('Events of events.k8s.io: what was said stays', async () => {
  await using api = await prepared()
  const { body: made } = await api.request('POST', newer, { body: event })
  const { code, body } = await api.request('PUT', `${newer}/e`, { body: { ...made, note: 'other' } })
  assert.deepEqual(
    [code, body.message],
    [422, 'Event.events.k8s.io "e" is invalid: message: Invalid value: "other": field is immutable'],
  )
})
