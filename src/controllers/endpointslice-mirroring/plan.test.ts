import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Endpoints, endpoints as resource } from '#api/core.ts'
import type { EndpointSlice } from '#api/discovery.ts'
import type { Stored } from '#api/stored.ts'
import { type MirrorState, planMirror } from '#controllers/endpointslice-mirroring/plan.ts'
import { at, meta, ownedBy, service } from '#test/stored-objects.ts'

const bare = service('db', { selector: undefined, ports: [{ port: 5432 }] })
const object = (subsets: unknown, metadata: object = {}) =>
  ({ metadata: { ...meta('db'), ...metadata }, subsets }) as unknown as Stored<Endpoints>
const one = object(
  [{ addresses: [{ ip: '192.0.2.1' }], notReadyAddresses: [{ ip: '192.0.2.2' }], ports: [{ port: 5432 }] }],
  {
    labels: { team: 'x' },
    annotations: { note: 'y', 'kubectl.kubernetes.io/last-applied-configuration': '{}' },
  },
)

const plan = (state: Partial<MirrorState>) => planMirror({ endpoints: one, service: bare, slices: [], ...state })
const kinds = (state: Partial<MirrorState>) => plan(state).map((act) => (act.kind === 'event' ? act.message : act.kind))
const slicesAfter = (state: Partial<MirrorState>) =>
  plan(state).flatMap((act, i) =>
    act.kind === 'create' || act.kind === 'update'
      ? [
          {
            ...act.object,
            metadata: { ...meta(`db-${i}`), ...act.object.metadata },
          } as unknown as Stored<EndpointSlice>,
        ]
      : [],
  )

test('one slice per subset and family', () => {
  const [act] = plan({})
  assert.deepEqual(act?.kind === 'create' && act.object, {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      generateName: 'db-',
      namespace: 'default',
      labels: {
        team: 'x',
        'kubernetes.io/service-name': 'db',
        'endpointslice.kubernetes.io/managed-by': 'endpointslicemirroring-controller.k8s.io',
      },
      annotations: { note: 'y' },
      ownerReferences: ownedBy(resource, 'db'),
    },
    addressType: 'IPv4',
    endpoints: [
      { addresses: ['192.0.2.1'], conditions: { ready: true } },
      { addresses: ['192.0.2.2'], conditions: { ready: false } },
    ],
    ports: [{ name: '', port: 5432, protocol: 'TCP' }],
  })
  const both = object([{ addresses: [{ ip: '192.0.2.1' }, { ip: '2001:db8::1' }], ports: [{ port: 1 }] }])
  assert.deepEqual(
    slicesAfter({ endpoints: both }).map(({ addressType }) => addressType),
    ['IPv4', 'IPv6'],
  )
})

test('steady, changed, gone', () => {
  const slices = slicesAfter({})
  assert.deepEqual(kinds({ slices }), [])
  const changed = object([{ addresses: [{ ip: '192.0.2.9' }], ports: [{ port: 5432 }] }], one.metadata)
  assert.deepEqual(kinds({ slices, endpoints: changed }), ['update'])
  const moved = object([{ addresses: [{ ip: '192.0.2.1' }], ports: [{ port: 1 }] }], one.metadata)
  assert.deepEqual(kinds({ slices, endpoints: moved }), ['update'], 'other ports: the slice is taken over')
  assert.deepEqual(kinds({ slices, endpoints: object([], one.metadata) }), ['delete'])
  assert.deepEqual(kinds({ slices, endpoints: undefined }), ['delete'])
  assert.deepEqual(kinds({ slices, service: undefined }), ['delete'])
  assert.deepEqual(kinds({ slices, service: service('db') }), ['delete'], 'the Service has a selector now')
  const reborn = object(one.subsets, { ...one.metadata, uid: 'other' })
  assert.deepEqual(kinds({ slices, endpoints: reborn }), ['update'], 'another Endpoints object of that name')
})

test('what is not mirrored', () => {
  for (const metadata of [
    { labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } },
    { annotations: { 'control-plane.alpha.kubernetes.io/leader': '{}' } },
  ])
    assert.deepEqual(kinds({ endpoints: object(one.subsets, metadata) }), [])
  assert.deepEqual(kinds({ endpoints: object(one.subsets, { deletionTimestamp: at(1) }) }), [])
})

test('bad and too many addresses', () => {
  const bad = object([{ addresses: [{ ip: 'x' }, { ip: '192.0.2.1' }], ports: [{ port: 1 }] }])
  assert.deepEqual(kinds({ endpoints: bad }), [
    'Skipped 1 invalid IP addresses when mirroring to EndpointSlices',
    'create',
  ])
  const addresses = Array.from({ length: 1005 }, (_, i) => ({ ip: `10.0.${i >> 8}.${i & 255}` }))
  assert.deepEqual(kinds({ endpoints: object([{ addresses, ports: [{ port: 1 }] }]) }), [
    'A max of 1000 addresses can be mirrored to EndpointSlices per Endpoints subset. 5 addresses were skipped',
    'create',
  ])
})
