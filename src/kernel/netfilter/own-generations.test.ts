import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { KnownGeneration, OwnGenerations } from '#kernel/netfilter/own-generations.ts'

test('generation: what is reached by our own alone', () => {
  const own = new OwnGenerations()
  assert.equal(own.reachedFrom(7), 7)
  own.add(8)
  own.add(9)
  assert.deepEqual(
    [6, 7, 8, 9, 10].map((from) => own.reachedFrom(from)),
    [6, 9, 9, 9, 10],
  )
  own.add(11)
  assert.deepEqual(
    [8, 10, 11].map((one) => own.has(one)),
    [true, false, true],
  )
  assert.deepEqual(
    [7, 9, 10, 11].map((from) => own.reachedFrom(from)),
    [7, 9, 11, 11],
  )
})

test('generation: one change after the other, of two writers, leaves nothing to look for', () => {
  const own = new OwnGenerations()
  const [four, six] = [new KnownGeneration(own), new KnownGeneration(own)]
  const known = (generation: number) => [four.reaches(generation), six.reaches(generation)]
  assert.deepEqual(known(20), [false, false])
  four.committed(19, 20, true)
  six.committed(20, 21, true)
  assert.deepEqual(known(21), [true, true])
  four.committed(21, 22, false)
  four.committed(22, 23, false)
  assert.deepEqual(known(23), [true, true])
  six.committed(23, 24, false)
  four.committed(24, 25, false)
  assert.deepEqual(known(25), [true, true])
})

test('generation: a stranger is noticed before, between and beside our own, until a look finds nothing', () => {
  const own = new OwnGenerations()
  const [four, six] = [new KnownGeneration(own), new KnownGeneration(own)]
  const known = (generation: number) => [four.reaches(generation), six.reaches(generation)]
  four.committed(19, 20, true)
  six.committed(20, 21, true)
  assert.deepEqual(known(22), [false, false])
  four.committed(22, 23, false)
  assert.deepEqual(known(23), [false, false])
  four.looked(23)
  assert.deepEqual(known(23), [true, false])
  six.looked(23)
  four.committed(23, 25, false)
  assert.deepEqual(known(25), [false, false], 'two generations of which one was ours')
  six.committed(25, 26, true)
  assert.deepEqual(known(26), [false, true])
  six.forget()
  assert.deepEqual(known(26), [false, false])
})
