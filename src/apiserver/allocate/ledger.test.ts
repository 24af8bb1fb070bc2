import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { AddressRange } from '#apiserver/allocate/address-range.ts'
import { bandOf } from '#apiserver/allocate/band.ts'
import { Ledger } from '#apiserver/allocate/ledger.ts'
import { parsePortBounds, PortRange } from '#apiserver/allocate/port-range.ts'
import { parseCidr } from '#lib/cidr.ts'

const first = { dryRun: false, random: () => 0 }
const ledgerOf = (cidr: string, ports = '30000-32767') => new Ledger([parseCidr(cidr)!], parsePortBounds(ports)!)

test('bands: sizes of KEP-3070 and KEP-3668', () => {
  const address = { least: 16, most: 256, share: 16 }
  const port = { least: 16, most: 128, share: 32 }
  const cases: [number, number, typeof address][] = [
    [65536, 256, address],
    [1024, 64, address],
    [64, 16, address],
    [16, 0, address],
    [2768, 86, port],
    [100, 16, port],
    [16, 0, port],
    [65535, 128, port],
  ]
  for (const [size, want, rule] of cases) assert.equal(bandOf(size, rule), want, `${size}`)
})

test('port ranges: how they are written', () => {
  const cases: [string, { first: number; last: number } | undefined][] = [
    ['30000-32767', { first: 30000, last: 32767 }],
    ['8080', { first: 8080, last: 8080 }],
    ['30000+10', { first: 30000, last: 30010 }],
    ['0-80', undefined],
    ['80-79', undefined],
    ['60000+6000', undefined],
    ['x', undefined],
  ]
  for (const [text, want] of cases) assert.deepEqual(parsePortBounds(text), want, text)
})

test('addresses: the upper band first, then the lower, then none', () => {
  const ledger = ledgerOf('10.0.0.0/26')
  const work = ledger.begin(first)
  const given = Array.from({ length: 62 }, () => work.takeAnyAddress('IPv4'))
  assert.deepEqual(given[0], { given: '10.0.0.17' })
  assert.deepEqual(given[45], { given: '10.0.0.62' })
  assert.deepEqual(given[46], { given: '10.0.0.1' })
  assert.deepEqual(given[61], { given: '10.0.0.16' })
  assert.deepEqual(work.takeAnyAddress('IPv4'), { refused: 'range is full' })
  work.revert()
  assert.equal(ledger.hasAddress('10.0.0.1'), false)
})

test('addresses: network, broadcast and strangers are not in the range', () => {
  const range = new AddressRange(parseCidr('10.96.0.0/12')!)
  const cases: [string, boolean][] = [
    ['10.96.0.0', false],
    ['10.96.0.1', true],
    ['10.111.255.254', true],
    ['10.111.255.255', false],
    ['10.112.0.1', false],
    ['fd00::1', false],
  ]
  for (const [ip, want] of cases) assert.equal(range.contains(ip), want, ip)
  const six = new AddressRange(parseCidr('fd00::/108')!)
  assert.equal(six.contains('fd00::f:ffff'), true)
  assert.equal(
    six.pick(
      () => false,
      () => 0,
    ),
    'fd00::101',
  )
  assert.equal(new AddressRange(parseCidr('fd00::/64')!).size, 2 ** 48 - 1)
})

test('a dry run sees the same answers and takes nothing', () => {
  const ledger = ledgerOf('10.0.0.0/24')
  const work = ledger.begin({ dryRun: true, random: () => 0 })
  assert.deepEqual(work.takeAddress('10.0.0.5'), { given: '10.0.0.5' })
  assert.deepEqual(work.takeAddress('10.0.0.5'), { refused: 'provided IP is already allocated' })
  assert.deepEqual(work.takePort(30100), { given: 30100 })
  assert.deepEqual(work.takePort(30100), { refused: 'provided port is already allocated' })
  assert.deepEqual(work.takeAnyPort(), { given: 30086 })
  assert.deepEqual(work.takeAnyPort(), { given: 30087 })
  work.commit()
  work.revert()
  assert.equal(ledger.hasAddress('10.0.0.5'), false)
  assert.equal(ledger.ports.used, 0)
})

test('what is released is free only after commit', () => {
  const ledger = ledgerOf('10.0.0.0/24', '30000-30001')
  ledger.markAddress('10.0.0.5')
  ledger.markPort(30000)
  const work = ledger.begin(first)
  work.releaseAddress('10.0.0.5')
  work.releasePort(30000)
  assert.deepEqual(ledger.begin(first).takeAddress('10.0.0.5'), { refused: 'provided IP is already allocated' })
  assert.deepEqual(ledger.begin(first).takePort(30000), { refused: 'provided port is already allocated' })
  work.commit()
  assert.deepEqual(ledger.begin(first).takeAddress('10.0.0.5'), { given: '10.0.0.5' })
  assert.deepEqual(ledger.begin(first).takePort(30000), { given: 30000 })
  assert.deepEqual(ledger.begin(first).takeAnyPort(), { given: 30001 })
  assert.deepEqual(ledger.begin(first).takeAnyPort(), { refused: 'range is full' })
})

test('one address in two spellings is one address', () => {
  const ledger = ledgerOf('fd00::/112')
  assert.deepEqual(ledger.begin(first).takeAddress('FD00:0::A'), { given: 'FD00:0::A' })
  assert.deepEqual(ledger.begin(first).takeAddress('fd00::a'), { refused: 'provided IP is already allocated' })
})

test('ports outside the range are named with it', () => {
  const refused = 'provided port is not in the valid range. The range of valid ports is 30000-32767'
  assert.deepEqual(ledgerOf('10.0.0.0/24').begin(first).takePort(80), { refused })
  assert.equal(new PortRange({ first: 1, last: 20 }).size, 20)
})

test('random picks stay in the upper band and are all different (seed 7)', () => {
  const ledger = ledgerOf('10.96.0.0/16')
  let seed = 7
  const random = (below: number) => {
    seed = (seed * 1103515245 + 12345) % 2147483648
    return seed % below
  }
  const work = ledger.begin({ dryRun: false, random })
  const seen = new Set<string>()
  for (let i = 0; i < 2000; i++) {
    const answer = work.takeAnyAddress('IPv4')
    assert.ok('given' in answer)
    seen.add(answer.given)
    assert.ok(Number(answer.given.split('.')[2]) >= 1)
  }
  assert.equal(seen.size, 2000)
})
