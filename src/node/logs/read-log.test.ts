import * as assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { klogParser } from '#node/logs/klog-line.ts'
import { parseLogQuery, type LogQuery } from '#node/logs/query.ts'
import { readLog } from '#node/logs/read-log.ts'

const root = mkdtempSync(join(tmpdir(), 'fairway-logs-'))
after(() => rmSync(root, { recursive: true }))

const line = (second: number, text: string, stream = 'stdout', tag = 'F') =>
  `1970-01-01T00:00:${String(second).padStart(2, '0')}.000000000+00:00 ${stream} ${tag} ${text}\n`
const query = (text: string): LogQuery => {
  const parsed = parseLogQuery(new URLSearchParams(text), 60_000)
  assert.equal(parsed.kind, 'query')
  return parsed.query
}
/** A container that writes on until `end` is called. */
function live() {
  let isLive = true
  let tell = () => {}
  return {
    isLive: () => isLive,
    onLiveChange: (listener: () => void) => {
      tell = listener
      return () => {}
    },
    end() {
      isLive = false
      tell()
    },
  }
}
const dead = { isLive: () => false, onLiveChange: () => () => {} }

async function read(path: string, text: string): Promise<string> {
  const pieces: Uint8Array[] = []
  for await (const piece of readLog(path, { query: query(text), signal: new AbortController().signal, ...dead }))
    pieces.push(piece)
  return Buffer.concat(pieces).toString()
}

const file = join(root, '0.log')
const all = line(1, 'one') + line(2, 'two', 'stderr') + line(3, 'thr', 'stdout', 'P') + line(3, 'ee') + line(4, 'four')
writeFileSync(file, all)

for (const [text, want] of [
  ['', 'one\ntwo\nthree\nfour\n'],
  ['tailLines=2', 'ee\nfour\n'],
  ['tailLines=0', ''],
  ['tailLines=99', 'one\ntwo\nthree\nfour\n'],
  ['timestamps=true&tailLines=1', '1970-01-01T00:00:04.000000000Z four\n'],
  ['limitBytes=5', 'one\nt'],
  ['sinceTime=1970-01-01T00:00:03Z', 'three\nfour\n'],
  ['stream=stderr', 'two\n'],
] as const)
  test(`log with "${text}"`, async () => assert.equal(await read(file, text), want))

test('log: long ones are read from the end', async () => {
  const long = join(root, 'long.log')
  writeFileSync(long, Array.from({ length: 50_000 }, (_, n) => line(1, `line ${n}`)).join(''))
  assert.equal(await read(long, 'tailLines=2'), 'line 49998\nline 49999\n')
})

test('log: followed until the container ends, over a rotation', async () => {
  const path = join(root, 'follow.log')
  writeFileSync(path, line(1, 'first'))
  const container = live()
  const seen: string[] = []
  const arrived = async (text: string) => {
    while (!seen.includes(text)) await new Promise((resolve) => setTimeout(resolve, 1))
  }
  const reading = (async () => {
    const options = { query: query('follow=true'), signal: new AbortController().signal, ...container }
    for await (const piece of readLog(path, options)) seen.push(Buffer.from(piece).toString().trim())
  })()
  await arrived('first')
  appendFileSync(path, line(2, 'second'))
  await arrived('second')
  renameSync(path, `${path}.1`)
  writeFileSync(path, line(3, 'third'))
  await arrived('third')
  appendFileSync(path, line(4, 'last'))
  container.end()
  await reading
  assert.deepEqual(seen, ['first', 'second', 'third', 'last'])
})

test("log: a part's own, by its klog header", () => {
  const parse = klogParser(() => new Date(2026, 0, 5).getTime())
  const read = (text: string) => parse(new TextEncoder().encode(text))
  const at = (...parts: [number, number, number, number, number, number]) =>
    `${new Date(...parts).toISOString().slice(0, 19)}.000007000Z`
  assert.equal(read('I0104 10:11:12.000007    1 a.ts:1] hello').time, at(2026, 0, 4, 10, 11, 12))
  assert.equal(read('a line that goes on').time, at(2026, 0, 4, 10, 11, 12))
  assert.equal(read('W1231 23:59:59.000007    1 a.ts:1] last year').time, at(2025, 11, 31, 23, 59, 59))
})
