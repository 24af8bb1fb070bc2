import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseResolvConf, renderResolvConf } from '#lib/resolv-conf.ts'

test('resolv.conf: what counts of many lines', () => {
  assert.deepEqual(
    parseResolvConf(
      '# x\nnameserver 1.1.1.1\nsearch a. .\noptions ndots:1\nsearch b.c. d ; e\noptions ndots:2 rotate\n',
    ),
    { servers: ['1.1.1.1'], searches: ['b.c', 'd'], options: ['ndots:2', 'rotate'] },
  )
  assert.deepEqual(parseResolvConf('domain a.test\n').searches, ['a.test'])
})

test('resolv.conf: written and read back', () => {
  const files = ['search a b\nnameserver 10.96.0.10\noptions ndots:5\n', 'nameserver ::1\nnameserver 9.9.9.9\n', '']
  for (const text of files) assert.equal(renderResolvConf(parseResolvConf(text)), text)
})
