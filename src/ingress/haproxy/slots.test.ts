import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { Slots, slotsFor } from '#ingress/haproxy/slots.ts'

const none = {}
const secure = { sslRedirect: true } as const

test('a key keeps its back end until it is given back', () => {
  const slots = new Slots([], 3)
  assert.equal(slots.give('a', none), 'be-0')
  assert.equal(slots.give('b', none), 'be-1')
  assert.equal(slots.give('a', none), 'be-0')
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
  const slots = new Slots([], 3)
  slots.give('a', none)
  slots.giveBack('a')
  assert.deepEqual(
    ['b', 'c', 'd', 'e'].map((key) => slots.give(key, none)),
    ['be-1', 'be-2', 'be-0', undefined],
  )
})

test("one whose servers still have connections is nobody else's", () => {
  const slots = new Slots([], 2)
  slots.give('a', none)
  slots.give('b', none)
  slots.giveBack('a')
  slots.giveBack('b')
  const isBusy = (name: string) => name === 'be-0'
  const given = [slots.give('c', none, isBusy), slots.give('d', none, isBusy), slots.give('d', none)]
  assert.deepEqual(given, ['be-1', undefined, 'be-0'])
})

test('each set of settings has its own, with a spare one', () => {
  const slots = new Slots([{ key: 'a', settings: secure }], 2)
  assert.equal(slots.find('a'), 'be-2')
  assert.equal(slots.give('b', none), 'be-0')
  assert.equal(slots.give('b secure', secure), 'be-3')
  assert.equal(slots.give('c secure', secure), undefined)
  assert.equal(slots.give('d', { connectTimeoutMs: 1 }), undefined)
  slots.giveBack('a')
  assert.equal(slots.give('c secure', secure), 'be-2')
  assert.deepEqual(slots.settings, [none, none, secure, secure])
})

test('few are left before none is', () => {
  const slots = new Slots(Array.from({ length: 100 }, (_, i) => ({ key: String(i), settings: none })))
  assert.equal(slots.ordinary, slotsFor(100))
  assert.equal(slots.isScarce, false)
  for (let i = 100; i < slots.ordinary; i++) {
    if (slots.isScarce) break
    slots.give(String(i), none)
  }
  assert.equal(slots.isScarce, true)
  assert.notEqual(slots.give('one more', none), undefined)
})
