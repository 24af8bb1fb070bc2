// Which element a key finds, by the definition of each kind of set.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { indexSet } from '#kernel/nftables/find-element.ts'
import type { NftElement, NftSet } from '#kernel/nftables/ruleset.ts'
import { seeded } from '#test/random.ts'

const bytes = (...values: number[]) => Uint8Array.from(values)
const setOf = (set: Partial<NftSet>): NftSet => ({
  name: 'set',
  comment: '',
  anonymous: false,
  key: ['ipv4'],
  keyLengths: [4],
  interval: false,
  concatenated: false,
  dynamic: false,
  elements: [],
  ...set,
})

test('exact keys, and the element for all others', () => {
  const elements: NftElement[] = [
    { key: bytes(10, 0, 0, 1), comment: 'one' },
    { key: bytes(), catchAll: true, comment: 'rest' },
  ]
  const find = indexSet(setOf({ elements }))
  assert.equal(find(bytes(10, 0, 0, 1))?.comment, 'one')
  assert.equal(find(bytes(10, 0, 0, 2))?.comment, 'rest')
  assert.equal(indexSet(setOf({ elements: elements.slice(0, 1) }))(bytes(10, 0, 0, 2)), undefined)
})

test('ranges: neighbours, the last address, a range without an end', () => {
  // 10.0.0.0/24, 10.0.1.0/24 right behind it, 255.0.0.0/8 up to the last address there is
  const find = indexSet(
    setOf({
      interval: true,
      elements: [
        { key: bytes(255, 0, 0, 0), comment: 'c' },
        { key: bytes(10, 0, 2, 0), isEnd: true },
        { key: bytes(10, 0, 1, 0), comment: 'b' },
        { key: bytes(10, 0, 1, 0), isEnd: true },
        { key: bytes(10, 0, 0, 0), comment: 'a' },
      ],
    }),
  )
  for (const [key, want] of [
    [[9, 255, 255, 255], undefined],
    [[10, 0, 0, 0], 'a'],
    [[10, 0, 0, 255], 'a'],
    [[10, 0, 1, 0], 'b'],
    [[10, 0, 1, 255], 'b'],
    [[10, 0, 2, 0], undefined],
    [[254, 255, 255, 255], undefined],
    [[255, 255, 255, 255], 'c'],
  ] as const)
    assert.equal(find(bytes(...key))?.comment, want, key.join('.'))
})

test('ranges of several parts: every part within its own', () => {
  const find = indexSet(
    setOf({
      key: ['ipv4', 'port'],
      keyLengths: [4, 4],
      interval: true,
      concatenated: true,
      elements: [{ key: bytes(10, 0, 0, 0, 0, 80, 0, 0), keyEnd: bytes(10, 0, 0, 255, 0, 90, 0, 0), comment: 'a' }],
    }),
  )
  assert.equal(find(bytes(10, 0, 0, 7, 0, 85, 0, 0))?.comment, 'a')
  assert.equal(find(bytes(10, 0, 0, 7, 0, 91, 0, 0)), undefined)
  assert.equal(find(bytes(10, 0, 1, 0, 0, 85, 0, 0)), undefined)
})

test('ranges: as a list that is searched from end to end', () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = seeded(seed)
    const cuts = [...new Set(Array.from({ length: random.integer(2, 12) }, () => random.integer(0, 255)))].sort(
      (a, b) => a - b,
    )
    const elements = cuts.map((cut, i): NftElement => ({ key: bytes(cut), ...(i % 2 === 1 && { isEnd: true }) }))
    const find = indexSet(
      setOf({ keyLengths: [1], interval: true, elements: random.integer(0, 1) ? elements.toReversed() : elements }),
    )
    for (let value = 0; value < 256; value++) {
      const isInside = cuts.filter((cut) => cut <= value).length % 2 === 1
      assert.equal(find(bytes(value)) !== undefined, isInside, `seed ${seed}, value ${value} of ${cuts.join(' ')}`)
    }
  }
})
