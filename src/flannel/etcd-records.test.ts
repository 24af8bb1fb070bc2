import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseSubnets, fits, parsePools } from '#flannel/allocation.ts'
import { decodeLease, encodeLease, leaseKey, parseLeaseKey } from '#flannel/etcd-records.ts'
import { formatIp } from '#lib/ip.ts'
import { seeded } from '#test/random.ts'

const prefix = '/coreos.com/network'

test('etcd: keys and values as flannel writes them', () => {
  const key = '/coreos.com/network/subnets/10.5.52.0-24'
  const text =
    '{"PublicIP":"192.0.2.7","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"0a:00:00:00:00:01"}}'
  const lease = decodeLease(prefix, key, text)!
  assert.deepEqual(lease.subnets, { 4: '10.5.52.0/24' })
  assert.deepEqual(lease.lease.byFamily[4], {
    subnet: '10.5.52.0/24',
    publicIp: '192.0.2.7',
    data: '{"VNI":1,"VtepMAC":"0a:00:00:00:00:01"}',
  })
  assert.equal(leaseKey(prefix, lease.subnets), key)
  assert.deepEqual(
    JSON.parse(encodeLease({ backendType: 'vxlan', byFamily: { 4: lease.lease.byFamily[4]! } })),
    JSON.parse(text),
  )
})

test('etcd: both families in one key', () => {
  const subnets = { 4: '10.5.52.0/24', 6: 'fd00:10:244:3::/64' }
  const key = leaseKey(prefix, subnets)
  assert.equal(key, '/coreos.com/network/subnets/10.5.52.0-24&fd00:10:244:3::-64')
  assert.deepEqual(parseLeaseKey(prefix, key), subnets)
  const both = { 4: { publicIp: '192.0.2.7', data: 'null' }, 6: { publicIp: '2001:db8::7', data: '{"a":1}' } }
  const text = encodeLease({ backendType: 'vxlan', byFamily: both })
  assert.deepEqual(JSON.parse(text), {
    PublicIP: '192.0.2.7',
    PublicIPv6: '2001:db8::7',
    BackendType: 'vxlan',
    BackendV6Data: { a: 1 },
  })
  assert.equal(decodeLease(prefix, key, text)!.lease.byFamily[6]!.data, '{"a":1}')
})

test('etcd: what is no lease', () => {
  for (const [key, text] of [
    [`${prefix}/config`, '{}'],
    [`${prefix}/subnets/x`, '{"PublicIP":"192.0.2.7"}'],
    [`${prefix}/subnets/10.5.52.0-99`, '{"PublicIP":"192.0.2.7"}'],
    [`${prefix}/subnets/10.5.52.0-24`, '{'],
    [`${prefix}/subnets/10.5.52.0-24`, 'null'],
    [`${prefix}/subnets/10.5.52.0-24`, '{"PublicIP":"nowhere"}'],
  ] as const)
    assert.equal(decodeLease(prefix, key, text), undefined, `${key} ${text}`)
})

const poolOf = (network: string, more: object = {}) => {
  const pools = parsePools(JSON.stringify(more), { networks: { 4: network } })
  if (typeof pools === 'string') return pools
  const { first, last, prefix: length } = pools[4]!
  return `${formatIp(first)} to ${formatIp(last)}, /${length}`
}
// SubnetLen, SubnetMin and SubnetMax by the text of flannel's configuration documentation.
for (const [network, more, want] of [
  ['10.0.0.0/8', {}, '10.0.1.0 to 10.255.255.0, /24'],
  ['10.244.0.0/22', {}, '10.244.1.0 to 10.244.3.0, /24'],
  ['10.244.0.0/24', {}, '10.244.0.64 to 10.244.0.192, /26'],
  ['10.0.0.0/8', { SubnetLen: 20, SubnetMin: '10.10.0.0', SubnetMax: '10.99.0.0' }, '10.10.0.0 to 10.99.0.0, /20'],
] as const)
  test(`allocation: ${network} ${JSON.stringify(more)}`, () => assert.equal(poolOf(network, more), want))

test('allocation: what cannot be', () => {
  assert.equal(poolOf('10.244.0.0/29'), 'the network 10.244.0.0/29 is too small for four ranges')
  assert.match(poolOf('10.244.0.0/16', { SubnetLen: 17 }), /must lie between 18 and 30/)
  assert.match(poolOf('10.244.0.0/16', { SubnetMin: '10.245.0.0' }), /^SubnetMin is not in the network/)
  assert.match(poolOf('10.244.0.0/16', { SubnetMax: '10.244.9.1' }), /^SubnetMax is not at the start of a \/24/)
  assert.match(poolOf('10.244.0.0/16', { SubnetLen: '24' }), /^SubnetLen: "24" must lie between/)
  assert.equal(poolOf('10.244.0.0/16', { SubnetMin: 'low' }), 'SubnetMin must be an address, not "low"')
  assert.equal(
    poolOf('10.244.0.0/16', { SubnetMin: '10.244.9.0', SubnetMax: '10.244.8.0' }),
    'SubnetMin lies behind SubnetMax',
  )
})

test('allocation: only what is free, until nothing is', () => {
  const pools = parsePools('{"SubnetLen":26}', { networks: { 4: '10.244.0.0/24', 6: 'fd00::/56' } })
  assert.ok(typeof pools !== 'string')
  const random = seeded(7).next
  const taken: { 4: string; 6: string }[] = []
  for (let i = 0; i < 3; i++) {
    const chosen = chooseSubnets(pools, taken, random) as { 4: string; 6: string }
    assert.ok(fits(pools, chosen), JSON.stringify(chosen))
    taken.push(chosen)
  }
  assert.deepEqual(taken.map((one) => one[4]).sort(), ['10.244.0.128/26', '10.244.0.192/26', '10.244.0.64/26'])
  assert.equal(new Set(taken.map((one) => one[6])).size, 3)
  assert.equal(chooseSubnets(pools, taken, random), undefined)
  assert.equal(fits(pools, { 4: '10.244.0.0/26', 6: 'fd00:0:0:1::/64' }), false, 'the first range is left out')
  assert.equal(fits(pools, { 4: '10.244.0.64/26' }), false, 'one family is missing')
})
