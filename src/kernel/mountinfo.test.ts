import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseMountinfo } from '#kernel/mountinfo.ts'

test('mounts with and without propagation, and names with blanks', () => {
  const text = [
    '24 1 254:0 / / rw,relatime shared:1 master:7 - ext4 /dev/vda rw',
    String.raw`25 24 0:4 net:[4026532008] /run/with\040blank rw - nsfs nsfs rw`,
    '',
  ].join('\n')
  assert.deepEqual(parseMountinfo(text), [
    {
      id: 24,
      parent: 1,
      root: '/',
      target: '/',
      options: ['rw', 'relatime'],
      propagation: ['shared:1', 'master:7'],
      type: 'ext4',
      source: '/dev/vda',
    },
    {
      id: 25,
      parent: 24,
      root: 'net:[4026532008]',
      target: '/run/with blank',
      options: ['rw'],
      propagation: [],
      type: 'nsfs',
      source: 'nsfs',
    },
  ])
})
