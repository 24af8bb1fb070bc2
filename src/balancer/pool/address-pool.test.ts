import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AddressPool, chooseAddresses, parseRange } from '#balancer/pool/address-pool.ts'
import { formatIp } from '#lib/ip.ts'
import { at, service } from '#test/stored-objects.ts'

const poolOf = (...texts: string[]): AddressPool => ({
  text: texts.join(','),
  ranges: texts.map((t) => parseRange(t)!),
})
const balanced = (name: string, ips: readonly string[], spec: object = {}, metadata: object = {}) => ({
  ...service(name, { type: 'LoadBalancer', ...spec }, { ...metadata }),
  status: { loadBalancer: { ingress: ips.map((ip) => ({ ip })) } },
})

test('ranges of addresses', () => {
  const cases: readonly (readonly [string, string | undefined])[] = [
    ['10.0.0.200-10.0.0.239', '10.0.0.200 10.0.0.239'],
    ['10.0.0.224/28', '10.0.0.224 10.0.0.239'],
    ['10.0.0.7/32', '10.0.0.7 10.0.0.7'],
    ['fd00::10 - fd00::1f', 'fd00::10 fd00::1f'],
    ['10.0.0.9-10.0.0.1', undefined],
    ['10.0.0.1-fd00::1', undefined],
    ['10.0.0.1', undefined],
    ['10.0.0.1-10.0.0.2-10.0.0.3', undefined],
    ['', undefined],
  ]
  for (const [text, want] of cases) {
    const range = parseRange(text)
    assert.equal(range && `${formatIp(range.first)} ${formatIp(range.last)}`, want, text)
  }
})

const small = poolOf('10.0.0.200-10.0.0.201')
const both = poolOf('10.0.0.200-10.0.0.201', 'fd00::200-fd00::201')
const cases = [
  ['the first free one', service('a'), [], small, ['10.0.0.200']],
  ['not what another has', service('a'), [balanced('b', ['10.0.0.200'])], small, ['10.0.0.201']],
  ['what it has stays', balanced('a', ['10.0.0.201']), [], small, ['10.0.0.201']],
  [
    'of two that have the same the older keeps it',
    balanced('a', ['10.0.0.200'], {}, { creationTimestamp: at(9) }),
    [balanced('b', ['10.0.0.200'])],
    small,
    ['10.0.0.201'],
  ],
  ['addresses of others do not count', service('a'), [balanced('b', ['192.0.2.1'])], small, ['10.0.0.200']],
  ['what it asks for', service('a', { loadBalancerIP: '10.0.0.201' }), [], small, ['10.0.0.201']],
  [
    'asked for, not in the pool',
    service('a', { loadBalancerIP: '10.9.9.9' }),
    [],
    small,
    'loadBalancerIP: 10.9.9.9 is not in the pool 10.0.0.200-10.0.0.201',
  ],
  [
    "asked for, somebody else's",
    service('a', { loadBalancerIP: '10.0.0.200' }),
    [balanced('b', ['10.0.0.200'])],
    small,
    'loadBalancerIP: 10.0.0.200 belongs to Service default/b',
  ],
  ['asked for rubbish', service('a', { loadBalancerIP: 'x' }), [], small, 'loadBalancerIP: "x" is no address'],
  [
    'none is left',
    service('a'),
    [balanced('b', ['10.0.0.200']), balanced('c', ['10.0.0.201'])],
    small,
    'no IPv4 address of the pool 10.0.0.200-10.0.0.201 is free (2 are in use): delete a Service of type LoadBalancer, or give a wider --address-pool',
  ],
  ['two families', service('a', { ipFamilies: ['IPv6', 'IPv4'] }), [], both, ['fd00::200', '10.0.0.200']],
  ['two families, a pool of one', service('a', { ipFamilies: ['IPv4', 'IPv6'] }), [], small, ['10.0.0.200']],
  [
    'a family that the pool has not',
    service('a', { ipFamilies: ['IPv6'] }),
    [],
    small,
    'the pool 10.0.0.200-10.0.0.201 has no address of family IPv6',
  ],
] as const
for (const [name, asking, others, pool, want] of cases)
  test(`an address for a Service: ${name}`, () => {
    const chosen = chooseAddresses(asking, [asking, ...others], pool)
    assert.deepEqual('ips' in chosen ? chosen.ips : chosen.problem, want)
  })
