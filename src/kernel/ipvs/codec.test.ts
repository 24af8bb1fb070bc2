import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeRealServer, decodeVirtualServer, encodeRealServer, encodeServerName } from '#kernel/ipvs/codec.ts'
import { encodeVirtualServer, schedulerFlags, type VirtualServer } from '#kernel/ipvs/codec.ts'
import { decodeAttributes } from '#kernel/netlink/message.ts'
import { MessageWriter } from '#kernel/netlink/message-writer.ts'
import { seeded } from '#test/random.ts'

test('IPVS: random virtual servers come back as they went', () => {
  for (let seed = 0; seed < 200; seed++) {
    const random = seeded(seed)
    const number = random.integer(1, 65535)
    const server: VirtualServer = {
      protocol: random.pick(['tcp', 'udp', 'sctp']),
      address: random.integer(0, 1) === 0 ? `10.96.${number >> 8}.${number & 255}` : `fd00:96::${number.toString(16)}`,
      port: random.integer(1, 65535),
      scheduler: random.pick(['rr', 'wlc', 'mh']),
      flags: random.pick([0, schedulerFlags.first, schedulerFlags.second]),
      persistentSeconds: random.pick([0, 60, 10800]),
    }
    const writer = new MessageWriter()
    encodeVirtualServer(writer, server)
    assert.deepEqual(decodeVirtualServer(writer.bytes, 0), server, `seed ${seed}`)
  }
})

test('IPVS: a real server goes with the name of its virtual server', () => {
  const writer = new MessageWriter()
  const name = { protocol: 'tcp', address: 'fd00:96::1', port: 80 } as const
  encodeRealServer(encodeServerName(writer, name), { address: 'fd00:244::9', port: 8080, weight: 1 })
  const outer = decodeAttributes(writer.bytes)
  assert.deepEqual([...outer.keys()], [1, 2])
  // What the kernel answers has the numbers of connections too.
  const answer = new MessageWriter()
  answer.nest(2, () => {
    answer.raw(outer.get(2)!).attributeU32(7, 3).attributeU32(8, 4)
  })
  assert.deepEqual(decodeRealServer(answer.bytes, 0, name.address), {
    address: 'fd00:244::9',
    port: 8080,
    weight: 1,
    forward: 'masquerade',
    activeConnections: 3,
    inactiveConnections: 4,
  })
})
