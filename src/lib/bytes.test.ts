import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { concat, equalBytes, fromHex, Reader, toHex, Writer } from '#lib/bytes.ts'

test('bytes: hex and joining', () => {
  assert.equal(toHex(Uint8Array.of(0, 15, 255)), '000fff')
  assert.deepEqual(fromHex('000FFf'), Uint8Array.of(0, 15, 255))
  assert.deepEqual(['0', 'zz'].map(fromHex), [undefined, undefined])
  assert.ok(equalBytes(concat(Uint8Array.of(1), Uint8Array.of(2, 3)), Uint8Array.of(1, 2, 3)))
})

for (const littleEndian of [false, true])
  test(`bytes: what is written is read back, littleEndian ${littleEndian}`, () => {
    const writer = new Writer({ littleEndian, capacity: 1 })
    writer
      .u16(0)
      .u8(7)
      .align(4)
      .u32(0xfedcba98)
      .u64(2n ** 63n)
      .text('grüße')
      .bytes(Uint8Array.of(9, 8))
    writer.patchU16(0, writer.length)
    const reader = new Reader(writer.done(), { littleEndian })
    assert.equal(reader.u16(), 25)
    assert.equal(reader.u8(), 7)
    reader.skip(1)
    assert.equal(reader.u32(), 0xfedcba98)
    assert.equal(reader.u64(), 2n ** 63n)
    assert.equal(reader.text(7), 'grüße')
    assert.deepEqual([...reader.bytes(2)], [9, 8])
    assert.equal(reader.left, 0)
    assert.throws(() => reader.u8(), RangeError)
  })
