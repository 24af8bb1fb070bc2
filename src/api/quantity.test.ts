import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  addQuantity,
  canonicalQuantity,
  compareQuantity,
  formatQuantity,
  parseQuantity,
  type Quantity,
  quantityMilliValue,
  quantityValue,
  subtractQuantity,
} from '#api/quantity.ts'

function quantity(text: string): Quantity {
  const result = parseQuantity(text)
  assert.ok(result.kind === 'ok', text)
  return result.value
}

// Rules: the tables of apimachinery's api/resource/quantity_test.go, release 1.36.
const canonical: [string, string][] = [
  ['0', '0'],
  ['0Ki', '0'],
  ['00', '0'],
  ['100m', '100m'],
  ['1000m', '1'],
  ['1500m', '1500m'],
  ['0.5', '500m'],
  ['.5', '500m'],
  ['1.5', '1500m'],
  ['1.500', '1.500'],
  ['+5', '+5'],
  ['1.', '1.'],
  ['1000.', '1k'],
  ['64Mi', '64Mi'],
  ['1024Mi', '1Gi'],
  ['1536Mi', '1536Mi'],
  ['1500Mi', '1500Mi'],
  ['2048Ki', '2Mi'],
  ['1000M', '1G'],
  ['1000', '1k'],
  ['8192', '8192'],
  ['30Gi', '30Gi'],
  ['1e3', '1e3'],
  ['1E3', '1E3'],
  ['1e4', '10e3'],
  ['1e0', '1e0'],
  ['10e0', '10e0'],
  ['1000e0', '1e3'],
  ['.001Ki', '1024m'],
  ['.000001Ki', '1024u'],
  ['.000000001Ki', '1024n'],
  ['.000000000001Ki', '2n'],
  ['0.5Ki', '512'],
  ['0.5Mi', '512Ki'],
  ['100.035Ki', '102435840m'],
  ['3.001n', '4n'],
  ['0.0000000001', '1n'],
  ['-0.0000000001', '-1n'],
  ['-1.5', '-1500m'],
  ['-1024Mi', '-1Gi'],
  ['9Ei', '9223372036854775807'],
  ['12E', '12E'],
]
for (const [text, want] of canonical)
  test(`quantity: ${text}`, () => assert.deepEqual(canonicalQuantity(text), { kind: 'ok', value: want }))

const form = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
const bad: [string, string][] = [
  ['', form],
  ['1.2.3', form],
  ['abc', form],
  [' 1', form],
  ['1 Mi', form],
  ['1i', "unable to parse quantity's suffix"],
  ['1mi', "unable to parse quantity's suffix"],
  ['1e99999999999', "unable to parse quantity's suffix"],
]
for (const [text, message] of bad)
  test(`quantity: ${JSON.stringify(text)} is none`, () =>
    assert.deepEqual(parseQuantity(text), { kind: 'error', message }))

const orders: [string, string, number][] = [
  ['0', '0Gi', 0],
  ['100m', '50m', 1],
  ['10000T', '100Gi', 1],
  ['1Ki', '1024', 0],
  ['-1', '1n', -1],
]
for (const [a, b, want] of orders)
  test(`quantity: ${a} against ${b}`, () => assert.equal(compareQuantity(quantity(a), quantity(b)), want))

const sums: [string, string, string][] = [
  ['100m', '0', '100m'],
  ['0', '1Gi', '1Gi'],
  ['1Gi', '512Mi', '1536Mi'],
  ['500m', '1', '1500m'],
  ['1Mi', '1k', '1049576'],
]
for (const [a, b, want] of sums)
  test(`quantity: ${a} + ${b}`, () => {
    const sum = addQuantity(quantity(a), quantity(b))
    assert.equal(formatQuantity(sum), want)
    assert.equal(compareQuantity(subtractQuantity(sum, quantity(b)), quantity(a)), 0)
  })

test('quantity: values round up', () => {
  assert.equal(quantityValue(quantity('1500m')), 2)
  assert.equal(quantityValue(quantity('1Gi')), 1073741824)
  assert.equal(quantityMilliValue(quantity('0.0001')), 1)
  assert.equal(quantityMilliValue(quantity('2')), 2000)
})

test('quantity: the canonical form is stable and equal to what was parsed', () => {
  const suffixes = ['', 'n', 'u', 'm', 'k', 'M', 'G', 'Ki', 'Mi', 'Gi', 'Ti', 'e3', 'E-3', 'e0']
  let seed = 7
  const next = (below: number) => (seed = (seed * 48271) % 2147483647) % below
  for (let round = 0; round < 400; round++) {
    const text = `${next(3) === 0 ? '-' : ''}${next(100000)}${next(2) ? '' : `.${next(1000)}`}${suffixes[next(suffixes.length)]}`
    const first = quantity(text)
    const shown = formatQuantity(first)
    assert.equal(compareQuantity(quantity(shown), first), 0, text)
    assert.equal(formatQuantity(quantity(shown)), shown, text)
  }
})
