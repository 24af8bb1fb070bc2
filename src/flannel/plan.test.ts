import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FamilyPlan, Self, VxlanDevice } from '#flannel/backend.ts'
import { backendOf } from '#flannel/backends.ts'
import type { Lease } from '#flannel/lease.ts'
import { defaultBackend, type BackendConfig } from '#flannel/network-config.ts'
import { planNetwork, planSelf, type PlanInput } from '#flannel/plan.ts'

const lease = (
  n: number,
  more: Partial<Lease> & { subnet?: string; publicIp?: string; data?: string } = {},
): Lease => ({
  node: `node-${n}`,
  createdAt: `2026-01-01T00:00:0${n}Z`,
  backendType: more.backendType ?? 'host-gw',
  byFamily: {
    4: {
      subnet: more.subnet ?? `10.244.${n - 1}.0/24`,
      publicIp: more.publicIp ?? `10.168.0.${n + 1}`,
      data: more.data ?? 'null',
    },
  },
})

function input(backend: Partial<BackendConfig>, leases: readonly Lease[], more: Partial<PlanInput> = {}): PlanInput {
  const networks = { 4: '10.244.0.0/16' }
  const config = { networks, backend: { ...defaultBackend, ...backend }, rules: 'iptables' as const }
  const address = { ip: '10.168.0.2', publicIp: '10.168.0.2', onLink: ['10.168.0.0/24'] }
  return {
    node: 'node-1',
    config,
    backend: backendOf(config.backend)!,
    external: { name: 'eth0', index: 2, mtu: 1500, byFamily: { 4: address } },
    subnets: { 4: '10.244.0.0/24' },
    leases,
    offload: 'auto',
    release: '6.1.0',
    ...more,
  }
}
function plan(of: PlanInput) {
  const selves = planSelf(of)
  assert.ok(typeof selves !== 'string', String(selves))
  return planNetwork(of, selves)
}
const routes = (of: PlanInput) =>
  plan(of).flatMap((one) =>
    one.routes.map(
      ({ destination, via, link, onlink }) => `${destination} via ${via} dev ${link}${onlink ? ' onlink' : ''}`,
    ),
  )
const problems = (of: PlanInput) => plan(of).flatMap((one) => one.problems.map(({ code, node }) => `${code} ${node}`))

test('host-gw: the route of the source text', () => {
  const three = input({ type: 'host-gw' }, [lease(1), lease(2), lease(3)])
  assert.deepEqual(routes(three), ['10.244.1.0/24 via 10.168.0.3 dev eth0', '10.244.2.0/24 via 10.168.0.4 dev eth0'])
  assert.deepEqual(problems(three), [])
})

test('plan: who is no peer, and why', () => {
  const leases = [
    lease(2, { backendType: 'vxlan' }),
    lease(3, { subnet: '10.99.0.0/24' }),
    lease(4, { subnet: '10.244.0.128/25' }),
    lease(5, { publicIp: '192.0.2.5' }),
    lease(6, { subnet: '10.244.8.0/24' }),
    lease(7, { subnet: '10.244.8.0/24' }),
  ]
  const want = ['OtherBackend node-2', 'OutsideNetwork node-3', 'Overlap node-4', 'Overlap node-7', 'NotOnLink node-5']
  for (const order of [leases, leases.toReversed()]) {
    const of = input({ type: 'host-gw' }, order)
    assert.deepEqual(problems(of), want)
    assert.deepEqual(routes(of), ['10.244.8.0/24 via 10.168.0.7 dev eth0'])
  }
  const [message] = plan(input({ type: 'host-gw' }, [leases[3]!]))[0]!.problems.map((one) => one.message)
  assert.equal(
    message,
    'no route to 10.244.4.0/24: 192.0.2.5 of node-5 is not on the network of eth0 (10.168.0.0/24), which host-gw needs',
  )
})

test('plan: why a node cannot take part', () => {
  const external = input({}, []).external
  const nat = { ...external, byFamily: { 4: { ...external.byFamily[4]!, publicIp: '203.0.113.9' } } }
  const cases: readonly (readonly [Partial<PlanInput>, RegExp])[] = [
    [{ subnets: {} }, /^node "node-1" pod cidr not assigned$/],
    [{ subnets: { 4: '10.99.0.0/24' } }, /^the network 10\.244\.0\.0\/16 does not contain 10\.99\.0\.0\/24/],
    [
      { config: { ...input({}, []).config, backend: { ...defaultBackend, mtu: 9000 } } },
      /^the MTU 9000 of the configuration is more than eth0 carries \(1500\)$/,
    ],
    [
      { external: nat },
      /^host-gw cannot work behind NAT: the public address is 203\.0\.113\.9, but eth0 has 10\.168\.0\.2$/,
    ],
  ]
  for (const [more, want] of cases) assert.match(String(planSelf(input({ type: 'host-gw' }, [], more))), want)
})

const macOf = (plan: FamilyPlan | undefined) => (plan!.device as VxlanDevice).mac
const data = '{"VNI":1,"VtepMAC":"AA:bb:cc:dd:ee:01"}'

test('vxlan: device, entries and routes', () => {
  const of = input({}, [lease(2, { backendType: 'vxlan', data, publicIp: '192.0.2.5' })])
  const [only] = plan(of)
  assert.deepEqual(only, {
    family: 4,
    device: {
      kind: 'vxlan',
      checksumOffload: true,
      name: 'flannel.1',
      id: 1,
      port: 8472,
      learning: false,
      below: 'eth0',
      local: '10.168.0.2',
      mac: macOf(only),
      mtu: 1450,
      address: '10.244.0.0/32',
    },
    routes: [{ destination: '10.244.1.0/24', via: '10.244.1.0', link: 'flannel.1', onlink: true }],
    neighbours: [{ ip: '10.244.1.0', mac: 'aa:bb:cc:dd:ee:01' }],
    forwarding: [{ mac: 'aa:bb:cc:dd:ee:01', destination: '192.0.2.5' }],
    problems: [],
  })
  const mac = macOf(only)
  assert.equal(Number.parseInt(mac.slice(0, 2), 16) & 3, 2, 'locally administered, not multicast')
  const [self] = planSelf(of) as readonly Self[]
  assert.deepEqual(JSON.parse(of.backend.announce(self!)), { VNI: 1, VtepMAC: mac })
})

test('vxlan: DirectRouting, and peers that say nothing of use', () => {
  const near = lease(2, { backendType: 'vxlan', data })
  assert.deepEqual(routes(input({ directRouting: true }, [near])), ['10.244.1.0/24 via 10.168.0.3 dev eth0'])
  for (const bad of ['null', '{', '{"VNI":2,"VtepMAC":"aa:bb:cc:dd:ee:01"}', '{"VNI":1,"VtepMAC":"x"}'])
    assert.deepEqual(problems(input({}, [lease(2, { backendType: 'vxlan', data: bad })])), ['BadData node-2'], bad)
})

test('vxlan: both families, 20 bytes less for IPv6', () => {
  const both = input({}, [
    {
      ...lease(2, { backendType: 'vxlan', data }),
      byFamily: {
        4: { subnet: '10.244.1.0/24', publicIp: '10.168.0.3', data },
        6: { subnet: 'fd00:10:244:1::/64', publicIp: 'fd00::3', data },
      },
    },
  ])
  const config = { ...both.config, networks: { 4: '10.244.0.0/16', 6: 'fd00:10:244::/56' } }
  const address = { ip: 'fd00::2', publicIp: 'fd00::2', onLink: ['fd00::/64'] }
  const external = { ...both.external, byFamily: { ...both.external.byFamily, 6: address } }
  const plans = plan({ ...both, config, external, subnets: { 4: '10.244.0.0/24', 6: 'fd00:10:244::/64' } })
  assert.deepEqual(
    plans.map(({ device }) => [device?.name, device?.mtu, device?.address]),
    [
      ['flannel.1', 1450, '10.244.0.0/32'],
      ['flannel-v6.1', 1430, 'fd00:10:244::/128'],
    ],
  )
  assert.deepEqual(plans[1]!.routes, [
    { destination: 'fd00:10:244:1::/64', via: 'fd00:10:244:1::', link: 'flannel-v6.1', onlink: true },
  ])
  assert.notEqual(macOf(plans[0]), macOf(plans[1]))
})

test('udp: one route for all pods, and a tunnel that knows whose they are', () => {
  const [only] = plan(input({ type: 'udp' }, [lease(2, { backendType: 'udp', publicIp: '192.0.2.5' })]))
  assert.deepEqual(only, {
    family: 4,
    device: { kind: 'tun', name: 'flannel0', mtu: 1472, address: '10.244.0.0/32' },
    tunnel: {
      local: '10.168.0.2',
      port: 8285,
      subnet: '10.244.0.0/24',
      peers: [{ subnet: '10.244.1.0/24', publicIp: '192.0.2.5' }],
    },
    routes: [{ destination: '10.244.0.0/16', link: 'flannel0', onlink: false }],
    neighbours: [],
    forwarding: [],
    problems: [],
  })
})
