import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { checksum, decodeArpRequest, decodeHeartbeat, decodeSolicitation } from '#balancer/announce/frame.ts'
import {
  encodeAdvertisement,
  encodeArpAnnouncement,
  encodeArpReply,
  encodeHeartbeat,
} from '#balancer/announce/frame.ts'
import { fromHex, toHex } from '#lib/bytes.ts'
import { parseIp } from '#lib/ip.ts'
import { seeded } from '#test/random.ts'

const mac = fromHex('0a5800000001')!

test('ARP: a request is read and answered', () => {
  // Who has 10.0.0.200? Tell 10.0.0.9, from 0a:58:00:00:00:09.
  const request = fromHex(
    `ffffffffffff0a580000000908060001080006040001${'0a5800000009'}0a000009${'000000000000'}0a0000c8`,
  )!
  const asked = decodeArpRequest(request)!
  assert.equal(
    toHex(encodeArpReply(asked, mac)),
    `0a5800000009${'0a5800000001'}08060001080006040002${'0a5800000001'}0a0000c8${'0a5800000009'}0a000009`,
  )
  assert.equal(decodeArpRequest(encodeArpReply(asked, mac)), undefined)
  const announced = decodeArpRequest(encodeArpAnnouncement(parseIp('10.0.0.200')!, mac))!
  assert.deepEqual([toHex(announced.ip), toHex(announced.askerIp)], ['0a0000c8', '0a0000c8'])
})

test('neighbour discovery: the answer has a right checksum and goes to the asker', () => {
  const asked = { ip: parseIp('fd00::200')!, askerIp: parseIp('fd00::9')!, askerMac: fromHex('0a5800000009')! }
  const frame = encodeAdvertisement(asked, mac)
  assert.equal(toHex(frame.slice(0, 14)), '0a58000000090a580000000186dd')
  const packet = frame.slice(14)
  const body = packet.slice(40)
  const pseudo = [...packet.slice(8, 40), 0, 0, 0, body.length, 0, 0, 0, 58]
  assert.equal(checksum(Uint8Array.from([...pseudo, ...body])), 0, 'the sum over all with its checksum is zero')
  assert.equal(toHex(body.slice(24)), '02010a5800000001')
  const unnamed = encodeAdvertisement({ ...asked, askerIp: new Uint8Array(16) }, mac)
  assert.equal(toHex(unnamed.slice(0, 6)), '333300000001', 'everyone is told where the asker has no address')
})

test('heartbeats are read as they were written', () => {
  for (const beat of [
    { group: 0xfedcba98, node: 'node-1', isLeaving: false },
    { group: 1, node: 'n'.repeat(253), isLeaving: true },
  ])
    assert.deepEqual(decodeHeartbeat(encodeHeartbeat(beat, mac)), beat)
})

test('rubbish is no frame', () => {
  const random = seeded(7)
  for (let round = 0; round < 2000; round++) {
    const bytes = Uint8Array.from({ length: random.integer(0, 100) }, () => random.integer(0, 255))
    for (const decode of [decodeArpRequest, decodeSolicitation, decodeHeartbeat]) decode(bytes)
    assert.equal(decodeHeartbeat(bytes), undefined)
  }
})
