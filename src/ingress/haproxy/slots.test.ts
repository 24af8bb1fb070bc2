import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { Slots, slotsFor } from '#ingress/haproxy/slots.ts'

test('a key keeps its back end until it is given back', () => {
  const slots = new Slots(3)
  assert.equal(slots.give('a'), 'be-0')
  assert.equal(slots.give('b'), 'be-1')
  assert.equal(slots.give('a'), 'be-0')
  assert.equal(slots.find('c'), undefined)
  assert.deepEqual(
    [...slots.keys()],
    [
      ['be-0', 'a'],
      ['be-1', 'b'],
    ],
  )
})

test('one that was given back waits until all others were used', () => {
  const slots = new Slots(3)
  slots.give('a')
  slots.giveBack('a')
  assert.deepEqual(
    ['b', 'c', 'd', 'e'].map((key) => slots.give(key)),
    ['be-1', 'be-2', 'be-0', undefined],
  )
})

test("one whose servers still have connections is nobody else's", () => {
  const slots = new Slots(2)
  slots.give('a')
  slots.give('b')
  slots.giveBack('a')
  slots.giveBack('b')
  const isBusy = (name: string) => name === 'be-0'
  assert.deepEqual([slots.give('c', isBusy), slots.give('d', isBusy), slots.give('d')], ['be-1', undefined, 'be-0'])
})

test('few are left before none is', () => {
  const slots = new Slots(slotsFor(100))
  for (let i = 0; i < 100; i++) slots.give(String(i))
  assert.equal(slots.isScarce, false)
  for (let i = 100; i < slots.count; i++) {
    if (slots.isScarce) break
    slots.give(String(i))
  }
  assert.equal(slots.isScarce, true)
  assert.notEqual(slots.give('one more'), undefined)
})
