import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatIp } from '#lib/ip.ts'
import { containsIp, formatCidr, hostAt, overlaps, parseCidr, placeOf, sizeOf, stretches } from '#lib/cidr.ts'

const cidr = (text: string) => parseCidr(text)!

test('cidr: texts', () => {
  const cases: readonly (readonly [string, string | undefined])[] = [
    ['10.244.0.0/16', '10.244.0.0/16'],
    ['10.244.7.9/16', '10.244.0.0/16'],
    ['10.244.7.9/12', '10.240.0.0/12'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['10.0.0.1/32', '10.0.0.1/32'],
    ['fd00:10::5/108', 'fd00:10::/108'],
    ['10.0.0.0', undefined],
    ['10.0.0.0/', undefined],
    ['10.0.0.0/33', undefined],
    ['10.0.0.0/08', undefined],
    ['10.0.0.0/+8', undefined],
    ['fd00::/129', undefined],
  ]
  for (const [input, want] of cases) {
    const parsed = parseCidr(input)
    assert.equal(parsed && formatCidr(parsed), want, input)
  }
})

test('cidr: what lies within', () => {
  assert.equal(containsIp(cidr('10.96.0.0/12'), '10.111.255.255'), true)
  assert.equal(containsIp(cidr('10.96.0.0/12'), '10.112.0.0'), false)
  assert.equal(containsIp(cidr('0.0.0.0/0'), '::1'), false)
  assert.equal(containsIp(cidr('fd00::/9'), 'fd7f::1'), true)
  assert.equal(overlaps(cidr('10.0.0.0/8'), cidr('10.96.0.0/12')), true)
  assert.equal(overlaps(cidr('10.96.0.0/12'), cidr('10.0.0.0/8')), true)
  assert.equal(overlaps(cidr('10.96.0.0/12'), cidr('10.112.0.0/12')), false)
})

test('cidr: places', () => {
  assert.equal(hostAt(cidr('10.96.0.0/12'), 10), '10.96.0.10')
  assert.equal(hostAt(cidr('10.96.0.0/12'), -1), '10.111.255.255')
  assert.equal(hostAt(cidr('fd00::/64'), 2n ** 63n), 'fd00::8000:0:0:0')
  assert.equal(placeOf(cidr('10.96.0.0/12'), '10.96.1.0'), 256n)
  assert.equal(placeOf(cidr('10.96.0.0/12'), '10.0.0.0'), undefined)
  assert.equal(sizeOf(cidr('10.96.0.0/12')), 1048576)
  assert.throws(() => hostAt(cidr('10.0.0.0/30'), 4), /has no address 4/)
})

test('cidr: stretches', () => {
  const cases: readonly (readonly [readonly string[], readonly string[]])[] = [
    [[], []],
    [['10.97.0.0/16', '10.96.0.0/16'], ['10.96.0.0-10.98.0.0']],
    [
      ['10.96.0.0/16', '10.96.7.0/24', '10.98.0.0/16', '10.98.0.0/16'],
      ['10.96.0.0-10.97.0.0', '10.98.0.0-10.99.0.0'],
    ],
    [['255.0.0.0/8'], ['255.0.0.0-']],
    [['fd00::/108'], ['fd00::-fd00::10:0']],
  ]
  for (const [input, want] of cases) {
    const found = stretches(input.map(cidr))
    assert.deepEqual(
      found.map(({ start, end }) => `${formatIp(start)}-${end === undefined ? '' : formatIp(end)}`),
      want,
    )
  }
})
