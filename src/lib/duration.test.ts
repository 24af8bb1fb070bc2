import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { ageOf, formatDuration, parseDuration } from '#lib/duration.ts'

const s = 1000
const m = 60 * s
const h = 60 * m
const d = 24 * h

test('duration: read', () => {
  const cases: readonly (readonly [string, number | undefined])[] = [
    ['1m30s', 90_000],
    ['0', 0],
    ['1.5h', 5_400_000],
    ['-2s', -2000],
    ['+2s', 2000],
    ['250ms', 250],
    ['.5s', 500],
    ['1µs', 0.001],
    ['1', undefined],
    ['s', undefined],
    ['1d', undefined],
    ['1s ', undefined],
    ['', undefined],
  ]
  for (const [input, want] of cases) assert.equal(parseDuration(input), want, input)
})

test('duration: written as Go does', () => {
  const cases: readonly (readonly [number, string])[] = [
    [0, '0s'],
    [1e-6, '1ns'],
    [0.0011, '1.1µs'],
    [2.2, '2.2ms'],
    [3.3 * s, '3.3s'],
    [4 * m + 5 * s, '4m5s'],
    [4 * m + 5001, '4m5.001s'],
    [5 * h + 6 * m + 7001, '5h6m7.001s'],
    [-90 * s, '-1m30s'],
    [d, '24h0m0s'],
  ]
  for (const [input, want] of cases) {
    assert.equal(formatDuration(input), want)
    assert.equal(parseDuration(want), input)
  }
})

test('duration: an age as kubectl shows it', () => {
  const cases: readonly (readonly [number, string])[] = [
    [-2 * s, '<invalid>'],
    [-s, '0s'],
    [-0.5 * s, '0s'],
    [999, '0s'],
    [119 * s, '119s'],
    [2 * m, '2m'],
    [3 * m + 12 * s, '3m12s'],
    [10 * m + s, '10m'],
    [3 * h - 1, '179m'],
    [3 * h + m, '3h1m'],
    [8 * h - 1, '7h59m'],
    [8 * h + 59 * m, '8h'],
    [2 * d - 1, '47h'],
    [2 * d + h, '2d1h'],
    [8 * d - 1, '7d23h'],
    [8 * d, '8d'],
    [730 * d - 1, '729d'],
    [731 * d, '2y1d'],
    [8 * 365 * d - 1, '7y364d'],
    [9 * 365 * d, '9y'],
  ]
  for (const [input, want] of cases) assert.equal(ageOf(input), want)
})
