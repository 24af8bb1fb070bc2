import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Pod, type Service, services } from '#api/core.ts'
import type { EndpointSlice } from '#api/discovery.ts'
import type { Stored } from '#api/stored.ts'
import type { Act } from '#client/control/act.ts'
import { targetPort } from '#controllers/endpointslice/endpoint.ts'
import { type EndpointSliceState, planEndpointSlices } from '#controllers/endpointslice/plan.ts'
import { triggerTime } from '#controllers/endpointslice/trigger-time.ts'
import { at, node, ownedBy, pod, runningPod, service } from '#test/stored-objects.ts'

const ports = [{ name: '', port: 80, protocol: 'TCP', targetPort: 9376 }]
const nodes = new Map(
  ['a', 'b'].map((zone) => [
    `node-${zone}`,
    node(`node-${zone}`, { metadata: { labels: { 'topology.kubernetes.io/zone': `zone-${zone}` } } }),
  ]),
)
const web = service('web', { ports }, { labels: { team: 'x' } })
const podAt = (n: number, options: Parameters<typeof runningPod>[3] = { readySince: 0 }, on = 'node-a') =>
  runningPod(`web-${n}`, on, `10.244.${n >> 8}.${n & 255}`, options)
const podsTo = (count: number) => Array.from({ length: count }, (_, i) => podAt(i + 1))

function plan(state: Partial<EndpointSliceState>) {
  return planEndpointSlices({
    service: web,
    pods: [],
    nodeNamed: (name) => nodes.get(name),
    slices: [],
    triggerTime: undefined,
    maxPerSlice: 100,
    ...state,
  })
}

/** What the server has after `acts`, slices named in the order of their creation. */
let made = 0
function after(slices: readonly Stored<EndpointSlice>[], acts: readonly Act[]): Stored<EndpointSlice>[] {
  const all = new Map(slices.map((slice) => [slice.metadata.name, slice]))
  for (const act of acts) {
    if (act.kind === 'delete') all.delete(act.target.name)
    if (act.kind !== 'create' && act.kind !== 'update') continue
    const slice = act.object as Stored<EndpointSlice>
    const name = slice.metadata.name ?? `web-s${++made}`
    all.set(name, {
      ...slice,
      metadata: { ...slice.metadata, name, uid: name, resourceVersion: '1', creationTimestamp: at(0) },
    })
  }
  return [...all.values()]
}

const verbs = (acts: readonly Act[]) =>
  acts
    .map((act) => act.kind)
    .sort()
    .join(' ')
const sizes = (slices: readonly EndpointSlice[]) => slices.map(({ endpoints }) => endpoints?.length ?? 0)

test('the slice of a Service with one pod', () => {
  const [act] = plan({ pods: [podAt(5)], triggerTime: at(7) }).acts
  assert.deepEqual(act?.kind === 'create' && act.object, {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      generateName: 'web-',
      namespace: 'default',
      labels: {
        team: 'x',
        'kubernetes.io/service-name': 'web',
        'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
      },
      ownerReferences: ownedBy(services, 'web'),
      annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': at(7) },
    },
    addressType: 'IPv4',
    endpoints: [
      {
        addresses: ['10.244.0.5'],
        conditions: { ready: true, serving: true, terminating: false },
        targetRef: { kind: 'Pod', namespace: 'default', name: 'web-5', uid: 'uid-web-5' },
        nodeName: 'node-a',
        zone: 'zone-a',
      },
    ],
    ports: [{ name: '', port: 9376, protocol: 'TCP' }],
  })
})

test('conditions of an endpoint', () => {
  const leaving = { metadata: { deletionTimestamp: at(1) } }
  const cases: readonly (readonly [string, Stored<Pod>, object, readonly boolean[] | undefined])[] = [
    ['ready', podAt(1), {}, [true, true, false]],
    ['not ready', podAt(1, {}), {}, [false, false, false]],
    ['not ready, published all the same', podAt(1, {}), { publishNotReadyAddresses: true }, [true, false, false]],
    ['leaving, still answering', podAt(1, { readySince: 0, ...leaving }), {}, [false, true, true]],
    ['leaving', podAt(1, leaving), {}, [false, false, true]],
    ['leaving, published', podAt(1, leaving), { publishNotReadyAddresses: true }, [true, false, true]],
    ['without an address', pod('web-1', { spec: { nodeName: 'node-a' }, status: { phase: 'Pending' } }), {}, undefined],
    ['finished', { ...podAt(1), status: { ...podAt(1).status, phase: 'Succeeded' } }, {}, undefined],
  ]
  for (const [name, one, spec, want] of cases) {
    const [act] = plan({ service: service('web', { ports, ...spec }), pods: [one] }).acts
    const [endpoint] = (act?.kind === 'create' ? (act.object as EndpointSlice) : undefined)?.endpoints ?? []
    const { ready, serving, terminating } = endpoint?.conditions ?? {}
    assert.deepEqual(endpoint && [ready, serving, terminating], want, name)
  }
})

test('a pod with subdomain of the Service has its host name there', () => {
  const spec = { hostname: 'one', subdomain: 'web' }
  const [act] = plan({
    service: service('web', { clusterIP: 'None', ports }),
    pods: [podAt(1, { readySince: 0, spec })],
  }).acts
  const slice = act?.kind === 'create' ? (act.object as EndpointSlice) : undefined
  assert.equal(slice?.endpoints?.[0]?.hostname, 'one')
  assert.equal(slice?.metadata?.labels?.['service.kubernetes.io/headless'], '')
})

test('target ports', () => {
  const container = {
    name: 'c',
    ports: [
      { name: 'http', containerPort: 8080, protocol: 'TCP' },
      { name: 'dns', containerPort: 53, protocol: 'UDP' },
    ],
  }
  const sidecar = {
    name: 's',
    restartPolicy: 'Always',
    ports: [{ name: 'side', containerPort: 9000, protocol: 'TCP' }],
  }
  const init = { name: 'i', ports: [{ name: 'init', containerPort: 1, protocol: 'TCP' }] }
  const one = pod('p', { spec: { containers: [container], initContainers: [init, sidecar] } })
  const cases = [
    [{ port: 80 }, 80],
    [{ port: 80, targetPort: 8000 }, 8000],
    [{ port: 80, targetPort: 'http' }, 8080],
    [{ port: 80, targetPort: 'dns' }, undefined],
    [{ port: 80, targetPort: 'dns', protocol: 'UDP' }, 53],
    [{ port: 80, targetPort: 'side' }, 9000],
    [{ port: 80, targetPort: 'init' }, undefined],
  ] as const
  for (const [port, want] of cases) assert.equal(targetPort(one, port), want, JSON.stringify(port))
})

test('pods that give a named port different numbers stand in slices of their own', () => {
  const named = service('web', { ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 'http' }] })
  const on = (n: number, containerPort: number) =>
    podAt(n, {
      readySince: 0,
      spec: { containers: [{ name: 'c', ports: [{ name: 'http', containerPort, protocol: 'TCP' }] }] },
    })
  const slices = after([], plan({ service: named, pods: [on(1, 8080), on(2, 8081), on(3, 8080)] }).acts)
  assert.deepEqual(
    slices.map(({ ports, endpoints }) => [ports?.[0]?.port, endpoints?.length]),
    [
      [8080, 2],
      [8081, 1],
    ],
  )
})

test('without pods there is one slice without endpoints, and it stays', () => {
  const first = plan({})
  const slices = after([], first.acts)
  assert.deepEqual(
    slices.map(({ endpoints, ports }) => [endpoints, ports]),
    [[[], []]],
  )
  assert.equal(verbs(plan({ slices }).acts), '')
  const filled = plan({ slices, pods: [podAt(1)] })
  assert.equal(verbs(filled.acts), 'update', 'it becomes the first real one')
  assert.equal(verbs(plan({ slices: after(slices, filled.acts) }).acts), 'update', 'and back')
})

test('a hundred endpoints in a slice, and few writes', () => {
  const pods = podsTo(250)
  const slices = after([], plan({ pods }).acts)
  assert.deepEqual(sizes(slices), [100, 100, 50])
  assert.equal(verbs(plan({ pods, slices }).acts), '', 'nothing changed')
  const unready = pods.map((one, i) => (i === 120 ? podAt(121, {}) : one))
  assert.equal(verbs(plan({ pods: unready, slices }).acts), 'update', 'one pod no longer ready')
  const more = plan({ pods: podsTo(260), slices })
  assert.equal(verbs(more.acts), 'update', 'ten more fit into the last')
  assert.deepEqual(sizes(after(slices, more.acts)), [100, 100, 60])
  const replaced = plan({ pods: [...pods.slice(1), podAt(900)], slices })
  assert.equal(verbs(replaced.acts), 'update', 'one replaced by another: in the same slice')
  const gone = plan({ pods: pods.slice(0, 200), slices })
  assert.equal(verbs(gone.acts), 'delete', 'the last slice is empty')
  const many = plan({ pods: podsTo(320), slices })
  assert.equal(verbs(many.acts), 'create', 'too many for the room that is left: a new one, and the others stay')
})

test('the labels of the Service change', () => {
  const slices = after([], plan({ pods: [podAt(1)] }).acts)
  const relabelled = service('web', { ports }, { labels: { team: 'y' } })
  assert.equal(
    after(slices, plan({ service: relabelled, pods: [podAt(1)], slices }).acts)[0]?.metadata.labels?.['team'],
    'y',
  )
  assert.equal(verbs(plan({ service: relabelled, pods: [podAt(1)], slices }).acts), 'update')
})

test('the ports of the Service change: the slice is taken over', () => {
  const slices = after([], plan({ pods: [podAt(1)] }).acts)
  const moved = service('web', { ports: [{ port: 80, protocol: 'TCP', targetPort: 8080 }] })
  const { acts } = plan({ service: moved, pods: [podAt(1)], slices })
  assert.equal(verbs(acts), 'update')
  assert.equal(after(slices, acts)[0]?.ports?.[0]?.port, 8080)
})

test('slices of a deleted Service of the same name are not reused', () => {
  const slices = after([], plan({ pods: [podAt(1)] }).acts)
  const reborn: Stored<Service> = { ...web, metadata: { ...web.metadata, uid: 'other' } }
  assert.equal(verbs(plan({ service: reborn, pods: [podAt(1)], slices }).acts), 'create delete')
})

test('a Service on its way out gets no new slice', () => {
  const gone = service('web', { ports }, { deletionTimestamp: at(1) })
  assert.equal(verbs(plan({ service: gone, pods: [podAt(1)] }).acts), '')
})

test('two families', () => {
  const dual = service('web', { ports, ipFamilies: ['IPv4', 'IPv6'] }, { labels: { team: 'x' } })
  const one = podAt(1)
  const both = { ...one, status: { ...one.status, podIPs: [{ ip: '10.244.0.1' }, { ip: 'FD00::0001' }] } }
  const slices = after([], plan({ service: dual, pods: [both] }).acts)
  assert.deepEqual(
    slices.map(({ addressType, endpoints }) => [addressType, endpoints?.[0]?.addresses]),
    [
      ['IPv4', ['10.244.0.1']],
      ['IPv6', ['fd00::1']],
    ],
  )
  const single = plan({ service: web, pods: [both], slices })
  assert.equal(verbs(single.acts), 'delete', 'a family that the Service no longer has')
})

test('a pod on an unknown node waits, unless all are published', () => {
  const lost = [podAt(1, { readySince: 0 }, 'node-x')]
  const { acts, withoutNode } = plan({ pods: lost })
  assert.deepEqual(withoutNode, ['web-1 on node-x'])
  assert.deepEqual(sizes(after([], acts)), [0])
  const published = plan({ service: service('web', { ports, publishNotReadyAddresses: true }), pods: lost })
  assert.deepEqual(sizes(after([], published.acts)), [1])
})

test('hints for traffic from nearby', () => {
  const cases: readonly (readonly [string, object, object, unknown])[] = [
    ['none asked', {}, {}, undefined],
    ['PreferClose', { trafficDistribution: 'PreferClose' }, {}, { forZones: [{ name: 'zone-a' }] }],
    ['PreferSameZone', { trafficDistribution: 'PreferSameZone' }, {}, { forZones: [{ name: 'zone-a' }] }],
    [
      'PreferSameNode',
      { trafficDistribution: 'PreferSameNode' },
      {},
      { forZones: [{ name: 'zone-a' }], forNodes: [{ name: 'node-a' }] },
    ],
    [
      'topology mode goes first',
      { trafficDistribution: 'PreferClose' },
      { annotations: { 'service.kubernetes.io/topology-mode': 'Auto' } },
      undefined,
    ],
  ]
  const plain = after([], plan({ pods: [podAt(1)] }).acts)
  for (const [name, spec, metadata, want] of cases) {
    const asked = service('web', { ports, ...spec }, { labels: { team: 'x' }, ...metadata })
    const { acts } = plan({ service: asked, pods: [podAt(1)], slices: plain })
    assert.equal(verbs(acts), want === undefined ? '' : 'update', name)
    const slices = after(plain, acts)
    assert.deepEqual(slices[0]?.endpoints?.[0]?.hints, want, name)
    assert.equal(verbs(plan({ service: asked, pods: [podAt(1)], slices }).acts), '', `${name}: steady`)
    assert.equal(verbs(plan({ pods: [podAt(1)], slices }).acts), want === undefined ? '' : 'update', `${name}: no more`)
  }
})

test('the time of the change', () => {
  const first = triggerTime(undefined, web, [podAt(1, { readySince: 5 })])
  assert.equal(first.time, at(0), 'the creation of the Service')
  const same = triggerTime(first.seen, web, [podAt(1, { readySince: 5 })])
  assert.equal(same.time, undefined)
  const next = triggerTime(same.seen, web, [podAt(1, { readySince: 9 }), podAt(2, { readySince: 8 })])
  assert.equal(next.time, at(8))
})
