import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeAck, decodeAttributes, decodeMessages, eachAttribute, NLMSG } from '#kernel/netlink/message.ts'
import { readText, readU16, readU16be, readU32, readU32be, readU64be, readU8 } from '#kernel/netlink/message.ts'
import { MessageWriter, NLM_F } from '#kernel/netlink/message-writer.ts'
import { seeded } from '#test/random.ts'

type Tree = { readonly type: number; readonly value: Uint8Array | readonly Tree[] }

test('random trees of attributes come back as they went', () => {
  for (let round = 0; round < 200; round++) {
    const random = seeded(round)
    const messages = Array.from({ length: random.integer(1, 4) }, () => ({
      type: random.integer(16, 0xffff),
      flags: random.integer(0, 0xffff),
      sequence: random.integer(0, 0xffffffff),
      trees: randomTrees(0),
    }))
    const writer = new MessageWriter(16)
    for (const message of messages) {
      writer.begin(message.type, message.flags, message.sequence).u8(1).u8(2).u16be(0x0304)
      write(writer, message.trees)
      writer.end()
    }
    const decoded = decodeMessages(writer.bytes).map(({ type, flags, sequence, payload }) => ({
      type,
      flags,
      sequence,
      trees: read(payload, 4, messages.find((message) => message.sequence === sequence)!.trees),
    }))
    assert.deepEqual(decoded, messages, `seed ${round}`)

    function randomTrees(depth: number): readonly Tree[] {
      return Array.from({ length: random.integer(0, 4) }, () => ({
        type: random.integer(1, 0x3ff),
        value:
          depth < 3 && random.integer(0, 2) === 0
            ? randomTrees(depth + 1)
            : Uint8Array.from({ length: random.integer(0, 40) }, () => random.integer(0, 255)),
      }))
    }
  }
})

function write(writer: MessageWriter, trees: readonly Tree[]): void {
  for (const { type, value } of trees) {
    if (value instanceof Uint8Array) writer.attribute(type, value)
    else writer.nest(type, () => write(writer, value))
  }
}

/** Reads attributes; the trees that were written only say which payloads are attributes again. */
function read(bytes: Uint8Array, offset: number, like: readonly Tree[]): readonly Tree[] {
  const trees: Tree[] = []
  eachAttribute(bytes, offset, (type, payload) => {
    const shape = like[trees.length]?.value
    trees.push({
      type,
      value: shape === undefined || shape instanceof Uint8Array ? Uint8Array.from(payload) : read(payload, 0, shape),
    })
  })
  return trees
}

test('numbers and texts', () => {
  const writer = new MessageWriter()
  writer.begin(16, NLM_F.request)
  writer.attributeU8(1, 200).attributeU16(2, 0xabcd).attributeU16be(3, 0xabcd).attributeU32(4, 0xdeadbeef)
  writer.attributeU32be(5, 0xdeadbeef).attributeU64be(6, 0x0102030405060708n).attributeText(7, 'cni0').attributeFlag(8)
  writer.end()
  const attributes = decodeAttributes(decodeMessages(writer.bytes)[0]!.payload)
  assert.equal(readU8(attributes.get(1)!), 200)
  assert.equal(readU16(attributes.get(2)!), 0xabcd)
  assert.equal(readU16be(attributes.get(3)!), 0xabcd)
  assert.equal(readU32(attributes.get(4)!), 0xdeadbeef)
  assert.equal(readU32be(attributes.get(5)!), 0xdeadbeef)
  assert.equal(readU64be(attributes.get(6)!), 0x0102030405060708n)
  assert.equal(readText(attributes.get(7)!), 'cni0')
  assert.equal(attributes.get(8)!.length, 0)
})

test('an error carries errno and the explanation of the kernel', () => {
  const writer = new MessageWriter()
  // The request's header follows the errno; capped (0x100), so attributes (0x200) come right behind it.
  writer.begin(NLMSG.error, 0x300, 7).u32(-17).u32(99).u16(16).u16(5).u32(7).u32(0)
  writer.attributeText(1, 'Master device not found').attributeU32(2, 44).end()
  const [message] = decodeMessages(writer.bytes)
  assert.deepEqual(decodeAck(message!), { errno: 17, text: 'Master device not found', offset: 44 })
})

test('cut-off bytes are refused, not misread', () => {
  const writer = new MessageWriter()
  writer.begin(16, 0).attributeText(1, 'eth0').end()
  assert.throws(() => decodeMessages(writer.bytes.subarray(0, 20)), /netlink message of 28 bytes at 0/)
  const payload = decodeMessages(writer.bytes)[0]!.payload
  assert.throws(() => decodeAttributes(payload.subarray(0, 6)), /netlink attribute of 9 bytes at 0/)
})
