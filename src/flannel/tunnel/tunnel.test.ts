import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseIp } from '#lib/ip.ts'
import { destinationAt, PeerTable } from '#flannel/tunnel/peer-table.ts'
import { checksum, unreachable } from '#flannel/tunnel/unreachable.ts'

const subnets = ['10.244.1.0/24', '10.244.2.0/25', '10.244.128.0/17', 'fd00:1::/64', 'fd00:2:8000::/33']
const table = new PeerTable(subnets.map((subnet) => ({ subnet, publicIp: '' })))

for (const [ip, want] of [
  ['10.244.1.0', 0],
  ['10.244.1.255', 0],
  ['10.244.2.127', 1],
  ['10.244.2.128', -1],
  ['10.244.200.9', 2],
  ['10.244.3.1', -1],
  ['fd00:1::1', 3],
  ['fd00:1:0:1::1', -1],
  ['fd00:2:8fff::1', 4],
  ['fd00:2:7fff::1', -1],
] as const)
  test(`peers: ${ip}`, () => {
    const bytes = parseIp(ip)!
    assert.equal(table.find(Uint8Array.of(9, 9, ...bytes), 2, bytes.length === 4), want)
  })

/** A UDP packet, its header as RFC 791 or RFC 8200 draw it. */
function packet(from: string, to: string, length = 100): Uint8Array {
  const [source, destination] = [parseIp(from)!, parseIp(to)!]
  const isV4 = source.length === 4
  const bytes = new Uint8Array(length)
  bytes[0] = isV4 ? 0x45 : 0x60
  bytes[isV4 ? 9 : 6] = 17
  bytes.set(source, isV4 ? 12 : 8)
  bytes.set(destination, destinationAt[isV4 ? 4 : 6])
  return bytes
}

test('unreachable: network unreachable, with the packet quoted', () => {
  const asked = packet('10.244.0.9', '10.244.77.1')
  const answer = unreachable(asked)!
  assert.deepEqual([...answer.subarray(12, 22)], [10, 244, 77, 1, 10, 244, 0, 9, 3, 0])
  assert.deepEqual(answer.subarray(28), asked.subarray(0, 68))
  // A checksum over what has its own checksum in it is zero.
  assert.equal(checksum(answer.subarray(0, 20)), 0)
  assert.equal(checksum(answer.subarray(20)), 0)
  assert.equal((answer[2]! << 8) | answer[3]!, answer.length)
})

test('unreachable: no route to destination, in IPv6', () => {
  const answer = unreachable(packet('fd00::9', 'fd00:7::1', 1400))!
  assert.equal(answer.length, 1280)
  assert.deepEqual([answer[6], answer[40], answer[41]], [58, 1, 0])
  const pseudo = new Uint8Array(40 + answer.length - 40)
  pseudo.set(answer.subarray(8, 40))
  new DataView(pseudo.buffer).setUint32(32, answer.length - 40)
  pseudo[39] = 58
  pseudo.set(answer.subarray(40), 40)
  assert.equal(checksum(pseudo), 0)
})

test('unreachable: no answer to errors, to later fragments, to groups', () => {
  const error = packet('10.244.0.9', '10.244.77.1')
  error[9] = 1
  error[20] = 3
  const fragment = packet('10.244.0.9', '10.244.77.1')
  fragment[7] = 1
  for (const bytes of [error, fragment, packet('10.244.0.9', '224.0.0.1'), packet('0.0.0.0', '10.244.77.1')])
    assert.equal(unreachable(bytes), undefined)
  const echo = packet('10.244.0.9', '10.244.77.1')
  echo[9] = 1
  echo[20] = 8
  assert.notEqual(unreachable(echo), undefined)
})
