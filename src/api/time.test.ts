import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatMicroTime, formatTime, parseMicroTime, parseTime } from '#api/time.ts'

// Texts: Go's time.Parse with the layouts of Kubernetes' Time and MicroTime.
const layout = '2006-01-02T15:04:05Z07:00'
const times: [string, string][] = [
  ['2026-11-21T03:24:00Z', '2026-11-21T03:24:00Z'],
  ['2020-01-01T00:00:00+02:00', '2019-12-31T22:00:00Z'],
  ['2020-01-01T00:00:00.999Z', '2020-01-01T00:00:00Z'],
  ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00Z'],
  ['2020-02-29T00:00:00Z', '2020-02-29T00:00:00Z'],
  ['x', `parsing time "x" as "${layout}": cannot parse "x" as "2006"`],
  ['', `parsing time "" as "${layout}": cannot parse "" as "2006"`],
  ['2020-13-01T00:00:00Z', 'parsing time "2020-13-01T00:00:00Z": month out of range'],
  ['2020-02-30T00:00:00Z', 'parsing time "2020-02-30T00:00:00Z": day out of range'],
  ['2020-01-01 00:00:00Z', `parsing time "2020-01-01 00:00:00Z" as "${layout}": cannot parse " 00:00:00Z" as "T"`],
  ['2020-01-01T00:00:00', `parsing time "2020-01-01T00:00:00" as "${layout}": cannot parse "" as "Z07:00"`],
  ['2020-01-01T00:00:00.5Zx', 'parsing time "2020-01-01T00:00:00.5Zx": extra text: "x"'],
]
for (const [text, want] of times)
  test(`time: ${text}`, () => {
    const result = parseTime(text)
    assert.equal(result.kind === 'ok' ? result.value : result.message, want)
  })

const microLayout = '2006-01-02T15:04:05.000000Z07:00'
const microTimes: [string, string][] = [
  ['2026-11-21T03:24:00.123456Z', '2026-11-21T03:24:00.123456Z'],
  ['2020-01-01T00:00:00.000001+01:00', '2019-12-31T23:00:00.000001Z'],
  [
    '2020-01-01T00:00:00.123Z',
    `parsing time "2020-01-01T00:00:00.123Z" as "${microLayout}": cannot parse ".123Z" as ".000000"`,
  ],
  [
    '2020-01-01T00:00:00.1234567Z',
    `parsing time "2020-01-01T00:00:00.1234567Z" as "${microLayout}": cannot parse "7Z" as "Z07:00"`,
  ],
]
for (const [text, want] of microTimes)
  test(`micro time: ${text}`, () => {
    const result = parseMicroTime(text)
    assert.equal(result.kind === 'ok' ? result.value : result.message, want)
  })

test('time: what is formatted parses to itself', () => {
  assert.deepEqual(parseTime(formatTime(1763695440123)), { kind: 'ok', value: '2025-11-21T03:24:00Z' })
  assert.deepEqual(parseMicroTime(formatMicroTime(1763695440123.5)), {
    kind: 'ok',
    value: '2025-11-21T03:24:00.123500Z',
  })
})
