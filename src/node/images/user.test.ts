import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { resolveUser } from '#node/images/user.ts'

const passwd = 'root:x:0:0:root:/root:/bin/sh\napp:x:1001:1002:App:/srv/app:/bin/false\n'
const group = 'root:x:0:\nstaff:x:50:app,other\nweb:x:33:other\n'

for (const [text, want] of [
  ['', { uid: 0, gid: 0, groups: [], home: '/root', isNamed: false }],
  ['app', { uid: 1001, gid: 1002, groups: [50], home: '/srv/app', isNamed: true }],
  ['1001', { uid: 1001, gid: 1002, groups: [50], home: '/srv/app', isNamed: false }],
  ['4242', { uid: 4242, gid: 0, groups: [], home: '/', isNamed: false }],
  ['app:web', { uid: 1001, gid: 33, groups: [], home: '/srv/app', isNamed: true }],
  ['1000:2000', { uid: 1000, gid: 2000, groups: [], home: '/', isNamed: false }],
  ['nobody', undefined],
  ['app:nogroup', undefined],
] as const)
  test(`user ${JSON.stringify(text)}`, () => assert.deepEqual(resolveUser(text, { passwd, group }), want))

test('an image without accounts', () =>
  assert.deepEqual(resolveUser('', { passwd: '', group: '' }), {
    uid: 0,
    gid: 0,
    groups: [],
    home: '/',
    isNamed: false,
  }))
