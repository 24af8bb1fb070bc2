import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { newCluster } from '#lab/cluster.ts'
import { checkOptions, defaultOptions, isClusterName, serviceAddresses } from '#lab/options.ts'
import { planCluster } from '#lab/plan.ts'

test('the default cluster', () => {
  const plan = planCluster(newCluster(defaultOptions, 3))
  assert.deepEqual(
    plan.hosts.map(({ name, segment, ip, mac }) => `${name} ${segment} ${ip} ${mac}`),
    [
      'control-plane lan 10.168.0.250 0a:58:0a:a8:00:fa',
      'node-1 lan 10.168.0.2 0a:58:0a:a8:00:02',
      'node-2 lan 10.168.0.3 0a:58:0a:a8:00:03',
      'node-3 lan 10.168.0.4 0a:58:0a:a8:00:04',
      'client outside 203.0.113.10 0a:58:cb:00:71:0a',
    ],
  )
  assert.deepEqual(
    plan.router.segments.map(({ name, gateway, prefix }) => `${name} ${gateway}/${prefix}`),
    ['lan 10.168.0.1/24', 'outside 203.0.113.1/24'],
  )
  assert.equal(plan.hosts[1]!.netnsName, 'fairway-node-1')
  assert.equal(plan.paths.kubeconfig, '/var/lib/fairway/fairway/kubeconfig')
  assert.deepEqual(serviceAddresses(defaultOptions), { kubernetes: '10.96.0.1', dns: '10.96.0.10' })
})

test('two subnets: the halves of the network, each with a gateway of its own', () => {
  const plan = planCluster(newCluster({ ...defaultOptions, subnets: 2 }, 3))
  assert.deepEqual(
    plan.hosts.map(({ name, segment, ip }) => `${name} ${segment} ${ip}`),
    [
      'control-plane lan 10.168.0.125',
      'node-1 lan 10.168.0.2',
      'node-2 far 10.168.0.131',
      'node-3 lan 10.168.0.4',
      'client outside 203.0.113.10',
    ],
  )
  assert.deepEqual(
    plan.router.segments.map(({ gateway, prefix }) => `${gateway}/${prefix}`),
    ['10.168.0.1/25', '10.168.0.129/25', '203.0.113.1/24'],
  )
  assert.deepEqual([plan.uplink.ip, plan.uplink.prefix], ['10.168.0.126', 24])
})

test('names of interfaces fit into 15 characters and differ', () => {
  const names = [
    'a',
    'fairway',
    'twelve-chars',
    'thirteen-char',
    'a-very-long-name-for-a-cluster',
    'a-very-long-name-for-a-clusters',
  ]
  const links = names.map((name) => planCluster(newCluster({ ...defaultOptions, name }, 1)).uplink.link)
  assert.ok(
    links.every((link) => link.length <= 15),
    links.join(' '),
  )
  assert.equal(new Set(links).size, links.length)
})

const good = [
  ['the defaults', {}],
  ['the smallest range', { podCidr: '10.244.0.0/24' }],
  ['the ports of the seeds', { serviceNodePortRange: '1-65535' }],
] as const
for (const [name, change] of good)
  test(`options: ${name}`, () =>
    assert.deepEqual(checkOptions({ ...defaultOptions, ...change }), { ...defaultOptions, ...change }))

test('options: ranges are written canonically', () =>
  assert.equal(checkOptions({ ...defaultOptions, podCidr: '10.245.7.9/16' }).podCidr, '10.245.0.0/16'))

const bad = [
  ['three subnets', { subnets: 3 }, /--subnets "3": 1 or 2/],
  ['no network', { podCidr: '10.244.0.0' }, /--pod-cidr "10.244.0.0": an IPv4 network/],
  ['another family', { serviceCidr: 'fd00::/112' }, /--service-cidr "fd00::\/112": an IPv4 network/],
  ['too small', { podCidr: '10.244.0.0/25' }, /--pod-cidr "10.244.0.0\/25": the prefix must lie between \/8 and \/24/],
  ['a LAN that is no /24', { lanCidr: '10.168.0.0/16' }, /--lan-cidr "10.168.0.0\/16": the prefix must be \/24/],
  [
    'pods among the Services',
    { podCidr: '10.100.0.0/16' },
    /--pod-cidr 10.100.0.0\/16 and --service-cidr 10.96.0.0\/12 overlap/,
  ],
  [
    'nodes among the pods',
    { lanCidr: '10.244.3.0/24' },
    /--pod-cidr 10.244.0.0\/16 and --lan-cidr 10.244.3.0\/24 overlap/,
  ],
  ['the client’s own network', { lanCidr: '203.0.113.0/24' }, /--lan-cidr 203.0.113.0\/24 and the outside network/],
  ['ports the wrong way round', { serviceNodePortRange: '400-300' }, /--service-node-port-range "400-300": two ports/],
  ['a port too high', { serviceNodePortRange: '1-65536' }, /two ports/],
  ['port 0', { serviceNodePortRange: '0-10' }, /two ports/],
  ['a domain with a space', { clusterDomain: 'cluster local' }, /--cluster-domain "cluster local": a DNS name/],
] as const
for (const [name, change, want] of bad)
  test(`options: ${name}`, () => assert.throws(() => checkOptions({ ...defaultOptions, ...change }), want))

for (const [name, want] of [
  ['a', true],
  ['my-2nd', true],
  ['My_Cluster', false],
  ['-a', false],
  ['a-', false],
  ['../etc', false],
  ['a'.repeat(41), false],
] as const)
  test(`the name of a cluster: ${name}`, () => assert.equal(isClusterName(name), want))
