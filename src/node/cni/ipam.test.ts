import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { hostLinkOf, macOf, planAttachment } from '#node/cni/attachment.ts'
import { candidates } from '#node/cni/ipam.ts'
import { parseConflist, planNetwork, renderConflist } from '#node/cni/network.ts'

const network = (...cidrs: string[]) => planNetwork(cidrs, { hairpin: 'hairpin-veth', mtu: 1500 })!

for (const [name, cidr, last, want] of [
  [
    'from the start',
    '10.244.0.0/29',
    undefined,
    ['10.244.0.2', '10.244.0.3', '10.244.0.4', '10.244.0.5', '10.244.0.6'],
  ],
  [
    'after the last',
    '10.244.0.0/29',
    '10.244.0.4',
    ['10.244.0.5', '10.244.0.6', '10.244.0.2', '10.244.0.3', '10.244.0.4'],
  ],
  [
    'wraps around',
    '10.244.0.0/29',
    '10.244.0.6',
    ['10.244.0.2', '10.244.0.3', '10.244.0.4', '10.244.0.5', '10.244.0.6'],
  ],
  [
    'a last one of another range',
    '10.244.0.0/29',
    '10.1.0.9',
    ['10.244.0.2', '10.244.0.3', '10.244.0.4', '10.244.0.5', '10.244.0.6'],
  ],
  ['IPv6', 'fd00::/126', undefined, ['fd00::2', 'fd00::3']],
] as const)
  test(`addresses: ${name}`, () => assert.deepEqual([...candidates(network(cidr).ranges[0]!, last)], want))

test('addresses: a /24 gives 253, and the one across a byte boundary follows', () => {
  assert.equal([...candidates(network('10.244.3.0/24').ranges[0]!, undefined)].length, 253)
  const [next] = candidates(network('10.244.0.0/16').ranges[0]!, '10.244.0.255')
  assert.equal(next, '10.244.1.0')
})

test('an attachment follows from the id and the address', () => {
  const owner = { containerId: 'abc', ifname: 'eth0' }
  assert.match(hostLinkOf(owner), /^veth[0-9a-f]{8}$/)
  assert.equal(macOf('10.244.0.5'), '0a:58:0a:f4:00:05')
  assert.deepEqual(
    planAttachment(network('10.244.0.0/24', 'fd00::/64'), owner, ['10.244.0.5', 'fd00::5'], '6.1.0').addresses,
    [
      { ip: '10.244.0.5', prefix: 24, gateway: '10.244.0.1' },
      { ip: 'fd00::5', prefix: 64, gateway: 'fd00::1' },
    ],
  )
})

for (const [hairpin, release, want] of [
  ['hairpin-veth', '5.10.0', true],
  ['none', '6.18.44', false],
  ['promiscuous-bridge', '5.10.0-28-amd64', false],
  ['promiscuous-bridge', '6.1.0-28-amd64', true],
  ['promiscuous-bridge', '7.0.1', true],
] as const)
  test(`hairpin of the cable: ${hairpin} on ${release}`, () => {
    const network = planNetwork(['10.244.0.0/24'], { hairpin, mtu: 1500 })!
    const owner = { containerId: 'abc', ifname: 'eth0' }
    assert.equal(planAttachment(network, owner, ['10.244.0.5'], release).hairpin, want)
  })

test('a network: bad ranges and the conflist', () => {
  for (const cidrs of [[], ['10.244.0.0/31'], ['nonsense']])
    assert.equal(planNetwork(cidrs, { hairpin: 'none', mtu: 1500 }), undefined)
  const { plugins } = JSON.parse(renderConflist(network('10.244.1.0/24')))
  assert.deepEqual(plugins[0].ipam.ranges, [[{ subnet: '10.244.1.0/24', gateway: '10.244.1.1' }]])
  const both = network('10.244.1.0/24', 'fd00:1::/64')
  assert.deepEqual(parseConflist(renderConflist(both)), both)
  for (const text of ['', '{}', '{"name":"x","plugins":[{"type":"bridge"}]}'])
    assert.equal(parseConflist(text), undefined)
})
