// The README says what the acceptance tests ask.
import * as assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { acceptanceTable } from '#test/proxy-acceptance-run.ts'

const path = 'src/proxy/README.md'

test('the table of acceptance tests in the README', () => {
  const text = readFileSync(path, 'utf8')
  const [start, end] = ['<!-- acceptance -->\n', '\n<!-- end -->']
  const from = text.indexOf(start) + start.length
  const to = text.indexOf(end)
  if (process.env['FAIRWAY_UPDATE_GOLDEN'])
    writeFileSync(path, text.slice(0, from) + acceptanceTable() + text.slice(to))
  else assert.equal(text.slice(from, to), acceptanceTable(), 'to write it anew: FAIRWAY_UPDATE_GOLDEN=1')
})
