import * as assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { logFile } from '#daemon/log-file.ts'

test('log file: appends, and begins anew when it is full', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fairway-log-'))
  const path = join(folder, 'logs', 'part.log')
  const read = (name: string) => readFileSync(name, 'utf8')
  const first = logFile(path, 12)
  first.write('one\n')
  first.close()
  const file = logFile(path, 12)
  for (const word of ['two', 'three', 'four']) file.write(`${word}\n`)
  file.close()
  assert.deepEqual([read(`${path}.1`), read(path)], ['one\ntwo\nthree\n', 'four\n'])
  rmSync(folder, { recursive: true })
})
