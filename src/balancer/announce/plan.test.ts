import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EndpointSlice } from '#api/discovery.ts'
import type { Stored } from '#api/stored.ts'
import { planCandidates, rankNodes } from '#balancer/announce/plan.ts'
import { exclusionLabel } from '#balancer/backends.ts'
import { parseRange } from '#balancer/pool/address-pool.ts'
import { at, meta, node, service } from '#test/stored-objects.ts'

const pool = { text: 'p', ranges: [parseRange('10.0.0.200-10.0.0.239')!] }
const balanced = (name: string, spec: object = {}, metadata: object = {}, ip = '10.0.0.200') => ({
  ...service(name, { type: 'LoadBalancer', ...spec }, { ...metadata }),
  status: { loadBalancer: { ingress: [{ ip }] } },
})
const nodes = [node('a'), node('b'), node('c', { metadata: { labels: { [exclusionLabel]: '' } } })]
const slice = (name: string, endpoints: readonly (readonly [string, object?])[]) =>
  ({
    metadata: meta(`${name}-1`, { labels: { 'kubernetes.io/service-name': name } }),
    addressType: 'IPv4',
    endpoints: endpoints.map(([nodeName, conditions = { ready: true }]) => ({
      addresses: ['10.1.0.1'],
      nodeName,
      conditions,
    })),
  }) as unknown as Stored<EndpointSlice>

const local = { externalTrafficPolicy: 'Local' }
const cases = [
  ['policy Cluster: every node that may', balanced('s'), [], ['a', 'b']],
  ['policy Local: those with an endpoint', balanced('s', local), [slice('s', [['b']])], ['b']],
  ['policy Local: endpoints of others', balanced('s', local), [slice('t', [['b']])], []],
  [
    'policy Local: ready ones before those on their way out',
    balanced('s', local),
    [slice('s', [['a', { ready: false, serving: true, terminating: true }], ['b']])],
    ['b'],
  ],
  [
    'policy Local: those on their way out where there is no other',
    balanced('s', local),
    [slice('s', [['a', { ready: false, serving: true, terminating: true }]])],
    ['a'],
  ],
  ['policy Local: none serves', balanced('s', local), [slice('s', [['a', { ready: false, serving: false }]])], []],
] as const
for (const [name, wanted, slices, want] of cases)
  test(`who may answer, ${name}`, () =>
    assert.deepEqual(planCandidates([wanted], slices, nodes, pool), [{ ip: '10.0.0.200', nodes: want }]))

test('nobody answers for other addresses, other types, or what is on its way out', () => {
  const others = [
    service('plain'),
    balanced('foreign', {}, {}, '192.0.2.1'),
    balanced('going', {}, { deletionTimestamp: at(0) }),
  ]
  assert.deepEqual(planCandidates(others, [], nodes, pool), [])
})

test('an address moves only when its own node goes or comes', () => {
  const names = Array.from({ length: 8 }, (_, i) => `node-${i}`)
  const ips = Array.from({ length: 40 }, (_, i) => `10.0.0.${200 + i}`)
  const owners = (alive: readonly string[]) =>
    new Map(ips.map((ip) => [ip, rankNodes({ ip, nodes: names }).find((name) => alive.includes(name))]))
  const all = owners(names)
  assert.ok(new Set(all.values()).size > 4, 'spread over the nodes')
  for (const gone of names) {
    const left = owners(names.filter((name) => name !== gone))
    for (const ip of ips)
      if (all.get(ip) === gone) assert.notEqual(left.get(ip), gone)
      else assert.equal(left.get(ip), all.get(ip))
  }
  assert.deepEqual(rankNodes({ ip: ips[0]!, nodes: [] }), [])
})
