import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { logTimeNs, parseLogLine } from '#node/logs/line.ts'
import { matchesQuery, parseLogQuery } from '#node/logs/query.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const parsed = (text: string) => {
  const line = parseLogLine(bytes(text))
  return line && { ...line, text: new TextDecoder().decode(line.text) }
}

for (const [line, want] of [
  [
    '2016-10-06T00:17:09.669794202Z stdout F text with spaces',
    { time: '2016-10-06T00:17:09.669794202Z', stream: 'stdout', isPartial: false, text: 'text with spaces' },
  ],
  [
    '2026-11-21T03:20:02.498515622+00:00 stderr P part',
    { time: '2026-11-21T03:20:02.498515622+00:00', stream: 'stderr', isPartial: true, text: 'part' },
  ],
  ['2016-10-06T00:17:09Z stdout F ', { time: '2016-10-06T00:17:09Z', stream: 'stdout', isPartial: false, text: '' }],
  ['2016-10-06T00:17:09Z stdout F', { time: '2016-10-06T00:17:09Z', stream: 'stdout', isPartial: false, text: '' }],
  ['', undefined],
  ['no log line', undefined],
  ['2016-10-06T00:17:09Z stdin F x', undefined],
] as const)
  test(`log line ${JSON.stringify(line)}`, () => assert.deepEqual(parsed(line), want))

test('log time', () => {
  assert.equal(logTimeNs('1970-01-01T00:00:01.000000002Z'), 1_000_000_002n)
  assert.equal(logTimeNs('1970-01-01T01:00:01.5+01:00'), 1_500_000_000n)
  assert.equal(logTimeNs('yesterday'), undefined)
})

test('log query', () => {
  const read = (text: string) => parseLogQuery(new URLSearchParams(text), 10_000)
  const all = {
    follow: false,
    previous: false,
    timestamps: false,
    tailLines: undefined,
    limitBytes: undefined,
    sinceNs: undefined,
    stream: undefined,
  }
  assert.deepEqual(read(''), { kind: 'query', query: all })
  assert.deepEqual(read('follow=true&tailLines=0&sinceSeconds=5&timestamps=1&limitBytes=9'), {
    kind: 'query',
    query: { ...all, follow: true, tailLines: 0, sinceNs: 5_000_000_000n, timestamps: true, limitBytes: 9 },
  })
  assert.equal(read('tailLines=-1').kind, 'invalid')
  assert.equal(read('limitBytes=0').kind, 'invalid')
  assert.equal(read('sinceTime=x').kind, 'invalid')
  assert.equal(read('sinceTime=1970-01-01T00:00:01Z&sinceSeconds=1').kind, 'invalid')
})

test('log query: which lines', () => {
  const line = parseLogLine(bytes('1970-01-01T00:00:05Z stderr F x'))!
  const query = (text: string) => {
    const read = parseLogQuery(new URLSearchParams(text), 10_000)
    assert.equal(read.kind, 'query')
    return read.query
  }
  assert.equal(matchesQuery(line, query('')), true)
  assert.equal(matchesQuery(line, query('sinceSeconds=5')), true)
  assert.equal(matchesQuery(line, query('sinceSeconds=4')), false)
  assert.equal(matchesQuery(line, query('stream=Stdout')), false)
})
