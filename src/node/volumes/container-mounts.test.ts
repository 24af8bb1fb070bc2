import * as assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { containerMounts } from '#node/volumes/container-mounts.ts'

const root = mkdtempSync(join(tmpdir(), 'fairway-mounts-'))
after(() => rmSync(root, { recursive: true }))
const volume = join(root, 'volume')
mkdirSync(join(volume, 'inside'), { recursive: true })
mkdirSync(join(root, 'outside'))
symlinkSync('inside', join(volume, 'link'))
symlinkSync('../outside', join(volume, 'out'))

const mount = (part: object, readOnly = false) => {
  const container = { name: 'c', volumeMounts: [{ name: 'v', mountPath: '/m', ...part }] }
  return containerMounts(container, new Map([['v', { path: volume, readOnly }]]), new Map([['POD', 'web-0']]))[0]!
}

test('mounts: the volume itself', () => {
  assert.deepEqual(mount({ readOnly: true, mountPropagation: 'HostToContainer' }), {
    containerPath: '/m',
    hostPath: volume,
    readOnly: true,
    propagation: 'hostToContainer',
  })
})

test('mounts: a volume that may only be read', () => {
  assert.equal(mount({}, true).readOnly, true)
  assert.equal(mount({}).readOnly, false)
})

test('mounts: a path below it, made where it is missing', () => {
  assert.equal(mount({ subPath: 'inside' }).hostPath, join(volume, 'inside'))
  assert.equal(mount({ subPath: 'link' }).hostPath, join(volume, 'inside'))
  assert.equal(mount({ subPath: 'new/deep' }).hostPath, join(volume, 'new/deep'))
  assert.ok(existsSync(join(volume, 'new/deep')))
  assert.equal(mount({ subPathExpr: 'logs/$(POD)' }).hostPath, join(volume, 'logs/web-0'))
})

for (const [name, part, message] of [
  ['up and out', { subPath: '../outside' }, /failed to prepare subPath/],
  ['by a link', { subPath: 'out' }, /failed to prepare subPath/],
  ['behind a link, where nothing is made', { subPath: 'out/made' }, /failed to prepare subPath/],
  ['absolute', { subPath: '/etc' }, /failed to prepare subPath/],
  ['a variable that is not there', { subPathExpr: '$(NO)' }, /missing value for NO/],
  ['no such volume', { name: 'w' }, /cannot find volume "w"/],
] as const)
  test(`mounts: refused: ${name}`, () => assert.throws(() => mount(part), message))

test('mounts: nothing was made outside', () => assert.equal(existsSync(join(root, 'outside/made')), false))
