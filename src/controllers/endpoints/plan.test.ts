import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Endpoints, EndpointSubset, Pod } from '#api/core.ts'
import type { Stored } from '#api/stored.ts'
import { type EndpointsState, planEndpoints, planRemoval } from '#controllers/endpoints/plan.ts'
import { repack, truncate } from '#controllers/endpoints/subsets.ts'
import { at, meta, runningPod, service } from '#test/stored-objects.ts'

const ports = [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 9376 }]
const web = service('web', { ports }, { labels: { team: 'x' } })
const podAt = (n: number, options: Parameters<typeof runningPod>[3] = { readySince: 0 }) =>
  runningPod(`web-${n}`, 'node-a', `10.244.0.${n}`, options)
const ip = (...addresses: string[]) => addresses.map((ip) => ({ ip }))

function written(state: Partial<EndpointsState>): Endpoints | undefined {
  const [act] = planEndpoints({ service: web, pods: [], current: undefined, triggerTime: undefined, ...state })
  return act?.kind === 'create' || act?.kind === 'update' ? (act.object as Endpoints) : undefined
}
const stored = (object: Endpoints | undefined) =>
  ({ ...object, metadata: { ...meta('web'), ...object?.metadata } }) as Stored<Endpoints>
const ips = (subsets: readonly EndpointSubset[] | undefined) =>
  subsets?.map(({ addresses, notReadyAddresses, ports }) => [
    addresses?.map(({ ip }) => ip),
    notReadyAddresses?.map(({ ip }) => ip),
    ports?.map(({ port }) => port),
  ])

test('ready and not ready pods, under their ports', () => {
  const pods = [podAt(2), podAt(1), podAt(3, {}), podAt(4, { readySince: 0, metadata: { deletionTimestamp: at(1) } })]
  const object = written({ pods, triggerTime: at(5) })
  assert.deepEqual(ips(object?.subsets), [[['10.244.0.1', '10.244.0.2'], ['10.244.0.3'], [9376]]])
  assert.deepEqual(object?.subsets?.[0]?.addresses?.[0], {
    ip: '10.244.0.1',
    nodeName: 'node-a',
    targetRef: { kind: 'Pod', namespace: 'default', name: 'web-1', uid: 'uid-web-1' },
  })
  assert.deepEqual(object?.subsets?.[0]?.ports, [{ name: 'http', port: 9376, protocol: 'TCP' }])
  assert.deepEqual(object?.metadata?.labels, { team: 'x', 'endpoints.kubernetes.io/managed-by': 'endpoint-controller' })
  assert.deepEqual(object?.metadata?.annotations, { 'endpoints.kubernetes.io/last-change-trigger-time': at(5) })
  assert.equal(written({ pods, current: stored(object) }), undefined, 'steady')
})

test('a Service that publishes all', () => {
  const all = service('web', { ports, publishNotReadyAddresses: true })
  const pods = [podAt(1, {}), podAt(2, { metadata: { deletionTimestamp: at(1) } })]
  assert.deepEqual(ips(written({ service: all, pods })?.subsets), [[['10.244.0.1', '10.244.0.2'], undefined, [9376]]])
})

test('a headless Service without ports', () => {
  const headless = service('web', { clusterIP: 'None', ports: [] })
  const object = written({ service: headless, pods: [podAt(1)] })
  assert.deepEqual(ips(object?.subsets), [[['10.244.0.1'], undefined, undefined]])
  assert.equal(object?.metadata?.labels?.['service.kubernetes.io/headless'], '')
})

test('pods without any port of the Service', () => {
  assert.deepEqual(
    written({ service: service('web', { ports: [{ port: 80, targetPort: 'http' }] }), pods: [podAt(1)] })?.subsets,
    [],
  )
})

test('two ports: one subset where the same pods have both, else several', () => {
  const two = service('web', {
    ports: [
      { name: 'a', port: 1 },
      { name: 'b', port: 2, targetPort: 'b' },
    ],
  })
  const named = { readySince: 0, spec: { containers: [{ name: 'c', ports: [{ name: 'b', containerPort: 20 }] }] } }
  assert.deepEqual(ips(written({ service: two, pods: [podAt(1, named), podAt(2, named)] })?.subsets), [
    [['10.244.0.1', '10.244.0.2'], undefined, [1, 20]],
  ])
  assert.deepEqual(ips(written({ service: two, pods: [podAt(1, named), podAt(2)] })?.subsets), [
    [['10.244.0.1', '10.244.0.2'], undefined, [1]],
    [['10.244.0.1'], undefined, [20]],
  ])
})

test('the first family only', () => {
  const one = podAt(1)
  const dual: Stored<Pod> = { ...one, status: { ...one.status, podIPs: [{ ip: '10.244.0.1' }, { ip: 'fd00::1' }] } }
  const six = service('web', { ports, ipFamilies: ['IPv6', 'IPv4'] })
  assert.deepEqual(ips(written({ service: six, pods: [dual] })?.subsets), [[['fd00::1'], undefined, [9376]]])
})

test('more than a thousand: ready ones first, and a word about it', () => {
  const pods = Array.from({ length: 1200 }, (_, i) =>
    runningPod(`p${i}`, 'n', `10.${i >> 8}.0.${i & 255}`, i < 900 ? { readySince: 0 } : {}),
  )
  const object = written({ pods })
  assert.deepEqual(
    object?.subsets?.map(({ addresses, notReadyAddresses }) => [addresses?.length, notReadyAddresses?.length]),
    [[900, 100]],
  )
  assert.equal(object?.metadata?.annotations?.['endpoints.kubernetes.io/over-capacity'], 'truncated')
  assert.equal(written({ pods, current: stored(object) }), undefined, 'steady')
  const fewer = written({ pods: pods.slice(0, 10), current: stored(object) })
  assert.deepEqual(fewer?.metadata?.annotations, {})
})

test('truncation in proportion', () => {
  const list = (count: number) => Array.from({ length: count }, (_, i) => ({ ip: `10.0.0.${i}` }))
  const cut = (subsets: EndpointSubset[]) =>
    truncate(subsets, 10).map(({ addresses, notReadyAddresses }) => [
      addresses?.length ?? 0,
      notReadyAddresses?.length ?? 0,
    ])
  assert.deepEqual(cut([{ addresses: list(20), notReadyAddresses: list(3) }, { addresses: list(20) }]), [
    [5, 0],
    [5, 0],
  ])
  assert.deepEqual(cut([{ addresses: list(6) }, { notReadyAddresses: list(9) }]), [
    [6, 0],
    [0, 4],
  ])
  assert.deepEqual(cut([{ addresses: list(9) }, { addresses: list(2) }]), [
    [9, 0],
    [1, 0],
  ])
})

test('repacking', () => {
  const [a, b] = [{ port: 1 }, { port: 2 }]
  const cases: readonly (readonly [string, EndpointSubset[], readonly EndpointSubset[]])[] = [
    ['nothing', [], []],
    ['an address without ports', [{ addresses: ip('1.1.1.1') }], [{ addresses: ip('1.1.1.1') }]],
    ['a port without address', [{ ports: [a] }], [{ ports: [a] }]],
    [
      'the same addresses at two ports',
      [
        { addresses: ip('1.1.1.1', '2.2.2.2'), ports: [b] },
        { addresses: ip('2.2.2.2', '1.1.1.1'), ports: [a] },
      ],
      [{ addresses: ip('1.1.1.1', '2.2.2.2'), ports: [a, b] }],
    ],
    [
      'ready and not ready: not ready',
      [
        { addresses: ip('1.1.1.1'), ports: [a] },
        { notReadyAddresses: ip('1.1.1.1'), ports: [a] },
      ],
      [{ notReadyAddresses: ip('1.1.1.1'), ports: [a] }],
    ],
    [
      'ready at one port only',
      [
        { addresses: ip('1.1.1.1'), ports: [a] },
        { notReadyAddresses: ip('1.1.1.1'), ports: [b] },
      ],
      [
        { addresses: ip('1.1.1.1'), ports: [a] },
        { notReadyAddresses: ip('1.1.1.1'), ports: [b] },
      ],
    ],
  ]
  for (const [name, input, want] of cases) {
    assert.deepEqual(repack(input), want, name)
    assert.deepEqual(repack(want), want, `${name}, again`)
  }
})

test('removal', () => {
  const leader = { 'control-plane.alpha.kubernetes.io/leader': '{}' }
  assert.equal(planRemoval(stored(undefined)).length, 1)
  assert.equal(planRemoval(stored({ metadata: { annotations: leader } })).length, 0)
  assert.equal(planRemoval(undefined).length, 0)
})
