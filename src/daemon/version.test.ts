import * as assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { version } from '#daemon/version.ts'

test('version: the same as in package.json', () => {
  assert.equal(version, JSON.parse(readFileSync('package.json', 'utf8')).version)
})
