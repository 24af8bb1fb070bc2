import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { mayOffload, sumsWrongly } from '#flannel/checksum.ts'

test('checksum: kernels with the error, by series', () => {
  const rows: [release: string, wrong: boolean][] = [
    ['3.10.0-1160.el7.x86_64', true],
    ['4.14.180', true],
    ['4.14.181', false],
    ['4.15.0-213-generic', true],
    ['4.19.122', true],
    ['4.19.0-26-amd64', true],
    ['4.19.304', false],
    ['5.4.40', true],
    ['5.4.41-cloud', false],
    ['5.5.19', true],
    ['5.6.12', true],
    ['5.6.13', false],
    ['5.7', false],
    ['5.10.0-28-amd64', false],
    ['6.18.5', false],
    ['unknown', false],
  ]
  for (const [release, wrong] of rows) assert.equal(sumsWrongly(release), wrong, release)
})

test('checksum: off by itself on such kernels and behind NAT, else as one says', () => {
  const own = { ip: '10.0.0.2' as never, publicIp: '10.0.0.2' as never, onLink: [] }
  const behindNat = { ...own, publicIp: '192.0.2.1' as never }
  assert.equal(mayOffload('auto', '6.1.0', own), true)
  assert.equal(mayOffload('auto', '4.15.0', own), false)
  assert.equal(mayOffload('auto', '6.1.0', behindNat), false)
  assert.equal(mayOffload('on', '4.15.0', behindNat), true)
  assert.equal(mayOffload('off', '6.1.0', own), false)
})
