import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeEntry, encodeEntry, type SetType } from '#kernel/ipset/entry.ts'
import { MessageWriter } from '#kernel/netlink/message-writer.ts'
import { seeded } from '#test/random.ts'

const there = (type: SetType, text: string): string => {
  const writer = new MessageWriter()
  encodeEntry(writer, type, text)
  return decodeEntry(writer.bytes)
}

test('ipset: random members come back as they went', () => {
  for (let seed = 0; seed < 200; seed++) {
    const random = seeded(seed)
    const isV6 = random.integer(0, 1) === 1
    const ip = () => {
      const number = random.integer(1, 65535)
      return isV6 ? `fd00::${number.toString(16)}` : `10.${number >> 8}.${number & 255}.7`
    }
    const front = `${ip()},${random.pick(['tcp', 'udp', 'sctp'])}:${random.integer(1, 65535)}`
    const cases: readonly (readonly [SetType, string])[] = [
      ['hash:ip', ip()],
      ['hash:ip,port', front],
      ['hash:ip,port,ip', `${front},${ip()}`],
      [
        'hash:ip,port,net',
        `${front},${isV6 ? `fd00:${random.integer(1, 9)}::/${random.integer(32, 127)}` : '10.0.0.0/8'}`,
      ],
      ['hash:ip,port,net', `${front},${ip()}`],
      ['bitmap:port', `${random.integer(0, 65535)}`],
    ]
    for (const [type, text] of cases) assert.equal(there(type, text), text, `seed ${seed}`)
  }
})

test('ipset: a single address has no prefix; what is no member is refused', () => {
  assert.equal(there('hash:ip,port,net', '10.96.0.1,tcp:80,10.0.0.1/32'), '10.96.0.1,tcp:80,10.0.0.1')
  assert.throws(() => there('hash:ip,port', '10.96.0.1,icmp:8'), /not a member of hash:ip,port/)
  assert.throws(() => there('hash:ip', 'somewhere'), /no address in somewhere/)
})
