// What a Service does, by tables: expectations are from the documentation of Services, not from the code.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Service } from '#api/core.ts'
import type { EndpointSlice } from '#api/discovery.ts'
import { planHealth } from '#proxy/plan/health.ts'
import { planService, type PortPlan, reachable } from '#proxy/plan/plan.ts'
import { type Family, type NodePlace, type ServiceView, viewService, viewSlice } from '#proxy/state.ts'

const node: NodePlace = {
  name: 'node-1',
  zone: 'zone-a',
  ips: { 4: '10.168.0.2', 6: 'fd00:168::2' },
}

type Spec = NonNullable<Service['spec']>
const web = { name: 'web', port: 80, protocol: 'TCP' }
function serviceOf(spec: Spec, status: Service['status'] = {}): ServiceView {
  const base: Spec = { type: 'ClusterIP', clusterIP: '10.96.0.20', ports: [web] }
  const view = viewService({ metadata: { namespace: 'demo', name: 'web' }, spec: { ...base, ...spec }, status })
  assert.ok(view)
  return view
}

/** Endpoints in short: `a1` is ready on node-1; `~` terminating but serving, `!` not ready; `@zone`, `#node` hints. */
function sliceOf(...words: readonly string[]): EndpointSlice {
  return {
    metadata: { namespace: 'demo', name: 'web-1', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    ports: [{ name: 'web', port: 8080, protocol: 'TCP' }],
    endpoints: words.map((word) => {
      const [, sign, letter = '', on, zone, host] = /^([~!]?)([a-z])(\d)(?:@([\w-]+))?(?:#([\w-]+))?$/.exec(word)!
      return {
        addresses: [addressOf(`${letter}${on}`)],
        nodeName: `node-${on}`,
        conditions: { ready: sign === '', serving: sign !== '!', terminating: sign === '~' },
        hints: { ...(zone && { forZones: [{ name: zone }] }), ...(host && { forNodes: [{ name: host }] }) },
      }
    }),
  }
}
const addressOf = (word: string) => `10.244.${word[1]}.${word.charCodeAt(0)}`
const shortOf = (plan: PortPlan, policy: 'cluster' | 'local') =>
  plan[policy].map(({ ip }) => String.fromCodePoint(Number(ip.split('.')[3])) + ip.split('.')[2]).join(' ')

function planOf(spec: Spec, words: readonly string[], status?: Service['status'], family: Family = 4): PortPlan {
  const slice = viewSlice(sliceOf(...words))
  const [plan] = planService(serviceOf(spec, status), slice === undefined ? [] : [slice], family, node)
  assert.ok(plan)
  return plan
}

const nodePort: Spec = { type: 'NodePort', ports: [{ ...web, nodePort: 30080 }] }
const ways: readonly (readonly [
  name: string,
  spec: Spec,
  endpoints: string,
  internal: string,
  external: string,
  cluster: string,
  local: string,
])[] = [
  ['no endpoints', {}, '', 'cluster reject', 'cluster reject', '', ''],
  ['only unready', {}, '!a1 !b2', 'cluster reject', 'cluster reject', '', ''],
  ['ready ones', {}, 'a1 !b2 c2', 'cluster balance', 'cluster balance', 'a1 c2', ''],
  ['terminating beside ready', {}, '~a1 b2', 'cluster balance', 'cluster balance', 'b2', ''],
  ['only terminating', {}, '~a1 ~b2 !c2', 'cluster balance', 'cluster balance', 'a1 b2', ''],
  ['internal Local', { internalTrafficPolicy: 'Local' }, 'a1 b2', 'local balance', 'cluster balance', '', 'a1'],
  ['internal Local, none here', { internalTrafficPolicy: 'Local' }, 'b2', 'local drop', 'cluster balance', '', ''],
  ['internal Local, none at all', { internalTrafficPolicy: 'Local' }, '!b2', 'local reject', 'cluster reject', '', ''],
  [
    'internal Local, terminating here',
    { internalTrafficPolicy: 'Local' },
    '~a1 b2',
    'local balance',
    'cluster balance',
    '',
    'a1',
  ],
  [
    'external Local without a front',
    { externalTrafficPolicy: 'Local' },
    'b2',
    'cluster balance',
    'cluster balance',
    'b2',
    '',
  ],
  [
    'external Local',
    { ...nodePort, externalTrafficPolicy: 'Local' },
    'a1 b2',
    'cluster balance',
    'local balance',
    'a1 b2',
    'a1',
  ],
  [
    'external Local, none here',
    { ...nodePort, externalTrafficPolicy: 'Local' },
    'b2',
    'cluster balance',
    'local drop',
    'b2',
    '',
  ],
  [
    'external Local, none at all',
    { ...nodePort, externalTrafficPolicy: 'Local' },
    '',
    'cluster reject',
    'local reject',
    '',
    '',
  ],
  [
    'external Local, terminating here',
    { ...nodePort, externalTrafficPolicy: 'Local' },
    '~a1 b2',
    'cluster balance',
    'local balance',
    'b2',
    'a1',
  ],
  [
    'both Local',
    { ...nodePort, internalTrafficPolicy: 'Local', externalTrafficPolicy: 'Local' },
    'a1 b2',
    'local balance',
    'local balance',
    'a1 b2',
    'a1',
  ],
  ['zone hints', {}, 'a1@zone-a b2@zone-b c2@zone-a', 'cluster balance', 'cluster balance', 'a1 c2', ''],
  ['zone hints elsewhere', {}, 'b2@zone-b c2@zone-c', 'cluster balance', 'cluster balance', 'b2 c2', ''],
  ['a zone hint is missing', {}, 'a1@zone-a b2', 'cluster balance', 'cluster balance', 'a1 b2', ''],
  ['hints of unready ones do not count', {}, 'a1@zone-a b2@zone-b !c2', 'cluster balance', 'cluster balance', 'a1', ''],
  ['node hints', {}, 'a1@zone-a#node-1 b2@zone-a#node-2', 'cluster balance', 'cluster balance', 'a1', ''],
  [
    'node hints elsewhere: the zone',
    {},
    'b2@zone-a#node-2 c3@zone-b#node-3',
    'cluster balance',
    'cluster balance',
    'b2',
    '',
  ],
  ['terminating ones ignore hints', {}, '~a1@zone-a ~b2@zone-b', 'cluster balance', 'cluster balance', 'a1 b2', ''],
  [
    'Local ignores hints',
    { ...nodePort, externalTrafficPolicy: 'Local' },
    'a1@zone-b b2@zone-a',
    'cluster balance',
    'local balance',
    'b2',
    'a1',
  ],
]

for (const [name, spec, endpoints, internal, external, cluster, local] of ways)
  test(`way: ${name}`, () => {
    const plan = planOf(spec, endpoints.split(' ').filter(Boolean))
    const text = (way: PortPlan['internal']) => `${way.policy} ${way.verdict}`
    assert.deepEqual(
      [text(plan.internal), text(plan.external), shortOf(plan, 'cluster'), shortOf(plan, 'local')],
      [internal, external, cluster, local],
    )
  })

test('endpoints of both policies count once among the reachable ones', () => {
  const plan = planOf({ ...nodePort, externalTrafficPolicy: 'Local' }, ['a1@zone-b', 'b2@zone-a', 'c1@zone-a'])
  assert.deepEqual(
    reachable(plan).map(({ ip }) => ip),
    ['c1', 'b2', 'a1'].map(addressOf),
  )
})

test('fronts: families, ipMode, NodePort', () => {
  const spec: Spec = {
    type: 'LoadBalancer',
    clusterIPs: ['10.96.0.20', 'fd00:96::20'],
    externalIPs: ['80.11.12.10', 'FD00:80::010', 'nonsense'],
    ports: [{ ...web, nodePort: 30080 }],
  }
  const status = {
    loadBalancer: {
      ingress: [
        { ip: '203.0.113.1' },
        { ip: '203.0.113.2', ipMode: 'Proxy' },
        { hostname: 'lb.example' },
        { ip: 'fd00:203::1', ipMode: 'VIP' },
      ],
    },
  }
  assert.deepEqual(planOf(spec, ['a1'], status).fronts, [
    { kind: 'external-ip', address: '80.11.12.10' },
    { kind: 'load-balancer', address: '203.0.113.1' },
    { kind: 'node-port', port: 30080 },
  ])
  assert.deepEqual(planOf(spec, ['a1'], status, 6).fronts, [
    { kind: 'external-ip', address: 'fd00:80::10' },
    { kind: 'load-balancer', address: 'fd00:203::1' },
    { kind: 'node-port', port: 30080 },
  ])
  assert.deepEqual(serviceOf(spec, status).problems, ['external IP nonsense is not an IP address'])
})

const ranges: readonly (readonly [string, readonly string[], PortPlan['sources']])[] = [
  ['none', [], undefined],
  ['of the other family', ['fd00::/8'], undefined],
  ['all addresses', ['10.0.0.0/8', '0.0.0.0/0'], undefined],
  ['without the node', [' 198.51.100.7/24'], { ranges: ['198.51.100.0/24'], includeNode: false }],
  [
    'with the node',
    ['198.51.100.0/24', '10.168.0.0/16'],
    { ranges: ['198.51.100.0/24', '10.168.0.0/16'], includeNode: true },
  ],
]
for (const [name, loadBalancerSourceRanges, want] of ranges)
  test(`source ranges: ${name}`, () => {
    const status = { loadBalancer: { ingress: [{ ip: '203.0.113.1' }] } }
    assert.deepEqual(planOf({ type: 'LoadBalancer', loadBalancerSourceRanges }, ['a1'], status).sources, want)
    assert.equal(planOf({ loadBalancerSourceRanges }, ['a1']).sources, undefined)
  })

test('not proxied: headless, ExternalName, no address, no address of the family', () => {
  const view = (spec: Spec) => viewService({ metadata: { namespace: 'demo', name: 'web' }, spec })
  assert.equal(view({ clusterIP: 'None' }), undefined)
  assert.equal(view({ type: 'ExternalName', externalName: 'example.com', clusterIP: '10.96.0.1' }), undefined)
  assert.equal(view({ clusterIP: '' }), undefined)
  assert.deepEqual(planService(serviceOf({}), [], 6, node), [])
})

test('bad input costs only itself', () => {
  const service = serviceOf({
    ports: [
      web,
      { ...web, port: 0, name: 'zero' },
      { ...web, port: 65536, name: 'large' },
      { ...web, protocol: 'ICMP' },
    ],
  })
  const slice = viewSlice({
    ...sliceOf('a1'),
    endpoints: [{ addresses: ['fd00::1'] }, { addresses: [] }, { addresses: ['10.244.0.97'] }],
    ports: [{ name: 'web', port: 8080 }, { name: 'web' }],
  })!
  assert.deepEqual(
    planService(service, [slice], 4, node).map(({ port, cluster }) => [port, cluster.length]),
    [[80, 1]],
  )
  assert.equal(service.problems.length, 3)
  assert.equal(slice.problems.length, 3)
})

test('an address in two slices counts once, and the one that is not terminating wins', () => {
  const of = (name: string, word: string) => viewSlice({ ...sliceOf(word), metadata: { ...sliceOf().metadata, name } })!
  for (const slices of [
    [of('a', '~a1'), of('b', 'a1')],
    [of('a', 'a1'), of('b', '~a1')],
  ])
    assert.deepEqual(planService(serviceOf({}), slices, 4, node)[0]!.cluster.length, 1)
})

test('health: pods ready on this node, each once', () => {
  const spec: Spec = { type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: 31000 }
  const slices = [viewSlice(sliceOf('a1', 'b1', '~c1', '!d1', 'e2'))!, viewSlice(sliceOf('a1'))!]
  assert.deepEqual(planHealth(serviceOf(spec), slices, 4, 'node-1'), {
    namespace: 'demo',
    name: 'web',
    port: 31000,
    localEndpoints: 2,
  })
  assert.equal(planHealth(serviceOf({ ...spec, externalTrafficPolicy: 'Cluster' }), slices, 4, 'node-1'), undefined)
  assert.equal(planHealth(serviceOf(spec), slices, 6, 'node-1'), undefined)
})

test('plan: a slice whose lists are null, as in what kubectl prints, has nothing', () => {
  const metadata = { namespace: 'demo', name: 'web-1', labels: { 'kubernetes.io/service-name': 'web' } }
  const text = JSON.stringify({ metadata, addressType: 'IPv4', endpoints: null, ports: null })
  const { endpoints, ports, problems } = viewSlice(JSON.parse(text) as EndpointSlice)!
  assert.deepEqual([endpoints, ports, problems], [[], [], []])
})
