import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { addToIp, canonicalIp, compareIp, formatIp, ipFamily, parseIp } from '#lib/ip.ts'

test('ip: texts and their canonical form', () => {
  const cases: readonly (readonly [string, string | undefined])[] = [
    ['10.0.0.1', '10.0.0.1'],
    ['255.255.255.255', '255.255.255.255'],
    ['0.0.0.0', '0.0.0.0'],
    ['10.0.0', undefined],
    ['10.0.0.1.2', undefined],
    ['10.0.0.', undefined],
    ['.10.0.0', undefined],
    ['10..0.1', undefined],
    ['10.0.0.256', undefined],
    ['10.0.0.01', undefined],
    ['10.0.0.1 ', undefined],
    ['10.0.0.-1', undefined],
    ['', undefined],
    ['a', undefined],
    ['::', '::'],
    ['::1', '::1'],
    ['FD00::0A', 'fd00::a'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['1:0:0:2:3:0:0:4', '1::2:3:0:0:4'],
    ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
    ['1::3:4:5:6:7:8', '1:0:3:4:5:6:7:8'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['64:ff9b::1.2.3.4', '64:ff9b::102:304'],
    ['::ffff:1.2.3.4', '::ffff:1.2.3.4'],
    ['1:2:3:4:5:6:7:8:9', undefined],
    ['1:2:3:4:5:6:7', undefined],
    ['1:2:3:4::5:6:7:8', undefined],
    ['1::2::3', undefined],
    [':::', undefined],
    [':1:2:3:4:5:6:7', undefined],
    ['12345::', undefined],
    ['fe80::1%eth0', undefined],
    ['1.2.3.4::', undefined],
  ]
  for (const [input, want] of cases) {
    const bytes = parseIp(input)
    assert.equal(bytes && formatIp(bytes), want, input)
  }
})

test('ip: what is written is read back', () => {
  let seed = 7
  const random = () => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) >>> 16
  for (let i = 0; i < 500; i++) {
    // Zero bytes often, since that is where the text form is tricky.
    const bytes = Uint8Array.from({ length: i % 2 ? 4 : 16 }, () => (random() % 3 === 0 ? random() & 255 : 0))
    assert.deepEqual(parseIp(formatIp(bytes)), bytes)
  }
})

test('ip: family, order, sums', () => {
  assert.deepEqual(['10.0.0.1', 'fd00::1', 'x'].map(ipFamily), [4, 6, undefined])
  const sorted = ['10.0.0.10', 'fd00::1', '10.0.0.9', '9.9.9.9', '::1'].sort(compareIp)
  assert.deepEqual(sorted, ['9.9.9.9', '10.0.0.9', '10.0.0.10', '::1', 'fd00::1'])
  const add = (ip: string, n: number | bigint) => formatIp(addToIp(parseIp(ip)!, n))
  assert.equal(add('10.0.0.255', 1), '10.0.1.0')
  assert.equal(add('10.0.1.0', -1), '10.0.0.255')
  assert.equal(add('255.255.255.255', 1), '0.0.0.0')
  assert.equal(add('fd00::', 2n ** 64n), 'fd00:0:0:1::')
})

test('ip: canonical text of addresses, and of nothing else', () => {
  const texts = ['10.0.0.1', '255.255.255.255', 'FD00:0:0::1', '::ffff:1.2.3.4', '0.0.0.0']
  assert.deepEqual(texts.map(canonicalIp), ['10.0.0.1', '255.255.255.255', 'fd00::1', '::ffff:1.2.3.4', '0.0.0.0'])
  for (const text of [
    '',
    '1.2.3',
    '1.2.3.4.5',
    '01.2.3.4',
    '1.2.3.256',
    ' 1.2.3.4',
    '1.2.3.4 ',
    '+1.2.3.4',
    '1..3.4',
    'fd00::1%eth0',
    ':',
  ])
    assert.deepEqual([canonicalIp(text), ipFamily(text)], [undefined, undefined], text)
})
