import * as assert from 'node:assert/strict'
import {
  mkdtempSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { writePayload } from '#node/volumes/atomic-writer.ts'
import type { Payload } from '#node/volumes/payload.ts'

const root = mkdtempSync(join(tmpdir(), 'fairway-writer-'))
after(() => rmSync(root, { recursive: true }))

const payload = (files: Record<string, string>): Payload =>
  new Map(Object.entries(files).map(([path, text]) => [path, { data: new TextEncoder().encode(text), mode: 0o640 }]))

test('a payload appears through ..data, changes in one step, and leaves nothing stale', () => {
  const volume = join(root, 'v')
  assert.equal(writePayload(volume, payload({ 'a.txt': 'one', 'deep/b.txt': 'two' }), 0), true)
  assert.equal(readFileSync(join(volume, 'a.txt'), 'utf8'), 'one')
  assert.equal(readFileSync(join(volume, 'deep/b.txt'), 'utf8'), 'two')
  assert.equal(readlinkSync(join(volume, 'a.txt')), '..data/a.txt')
  assert.match(readlinkSync(join(volume, '..data')), /^\.\.1970_01_01_00_00_00\./)
  assert.equal(statSync(join(volume, 'a.txt')).mode & 0o777, 0o640)

  assert.equal(writePayload(volume, payload({ 'a.txt': 'one', 'deep/b.txt': 'two' }), 1000), false)

  assert.equal(writePayload(volume, payload({ 'a.txt': 'changed' }), 2000), true)
  assert.equal(readFileSync(join(volume, 'a.txt'), 'utf8'), 'changed')
  assert.deepEqual(
    readdirSync(volume).filter((name) => !name.startsWith('..')),
    ['a.txt'],
  )
  assert.equal(readdirSync(volume).length, 3)
})

test('what a kill has left between two steps is repaired', () => {
  const volume = join(root, 'killed')
  writePayload(volume, payload({ a: '1' }), 0)
  mkdirSync(join(volume, '..1970_half'))
  writeFileSync(join(volume, '..1970_half/a'), 'half')
  rmSync(join(volume, 'a'))
  assert.equal(writePayload(volume, payload({ a: '1' }), 0), true)
  assert.equal(readFileSync(join(volume, 'a'), 'utf8'), '1')
  assert.equal(readdirSync(volume).length, 3)
})

test('a group gets to read what the owner reads', () => {
  const volume = join(root, 'group')
  writePayload(volume, new Map([['k', { data: new Uint8Array(), mode: 0o400 }]]), 0, process.getgid!())
  assert.equal(statSync(join(volume, 'k')).mode & 0o777, 0o440)
})
