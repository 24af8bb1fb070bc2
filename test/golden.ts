// Golden pictures: text that a test compares with a file. `FAIRWAY_UPDATE_GOLDEN=1` writes the files anew, to be read before
// they are committed. Lines that begin with `#` in front say what the picture is of, and stay.
import * as assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'

export function assertGolden(path: string, text: string): void {
  const lines = readFileSync(path, 'utf8').split('\n')
  const head = lines.slice(
    0,
    lines.findIndex((line) => !line.startsWith('#')),
  )
  if (process.env['FAIRWAY_UPDATE_GOLDEN']) writeFileSync(path, [...head, text].join('\n'))
  else
    assert.deepEqual(text.split('\n'), lines.slice(head.length), `${path} (to write it anew: FAIRWAY_UPDATE_GOLDEN=1)`)
}
