import * as assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setHostname } from '#kernel/ffi.ts'
import { makePrivate, mountBind, mounts, mountSysfs, mountTmpfs, unmount } from '#kernel/mount.ts'
import { createNamespaces, createNetns, deleteNetns, namespaceIdentity, unpin } from '#kernel/netns.ts'
import { withNamespaces, withNetns } from '#kernel/netns.ts'
import { readSysctl, writeSysctls } from '#kernel/sysctl.ts'
import { need } from '#test/need.ts'

const skip = need({ root: true })
const own = () => readlinkSync('/proc/thread-self/ns/net')
const interfaces = () =>
  readFileSync('/proc/thread-self/net/dev', 'utf8')
    .match(/^ *(\w+):/gm)
    ?.map((n) => n.trim())

function folder(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'fairway-kernel-'))
  mountTmpfs(path)
  makePrivate(path)
  return {
    path,
    [Symbol.dispose]: () => {
      unmount(path)
      rmSync(path, { recursive: true })
    },
  }
}

test('a network namespace is made, entered, left and deleted', { skip }, () => {
  using dir = folder()
  const home = own()
  const path = join(dir.path, 'deep/a')
  createNetns(path)
  assert.equal(own(), home)
  assert.notEqual(namespaceIdentity(path), namespaceIdentity('/proc/self/ns/net'))
  assert.deepEqual(withNetns(path, interfaces), ['lo:'])
  assert.throws(
    () =>
      withNetns(path, () => {
        throw new Error('inside')
      }),
    /inside/,
  )
  assert.equal(own(), home)
  assert.throws(() => createNetns(path), /EEXIST/)
  assert.equal(own(), home)
  assert.equal(deleteNetns(path), true)
  assert.equal(existsSync(path), false)
  assert.equal(deleteNetns(path), false)
  assert.throws(() => withNetns(path, () => undefined), /ENOENT/)
})

test('a node: network, mounts and host name of its own, pinned together', { skip }, () => {
  using dir = folder()
  const paths = { net: join(dir.path, 'net'), mount: join(dir.path, 'mnt'), uts: join(dir.path, 'uts') }
  const cwd = process.cwd()
  const mountsBefore = mounts().length
  createNamespaces(paths, () => {
    setHostname('node-1')
    mountSysfs('/sys')
    mountTmpfs('/mnt')
  })
  assert.equal(mounts().length, mountsBefore + 3, 'only the pins')
  assert.equal(process.cwd(), cwd)
  assert.notEqual(readFileSync('/proc/sys/kernel/hostname', 'utf8').trim(), 'node-1')
  const inside = withNamespaces(paths, () => ({
    name: hostname(),
    links: readdirSync('/sys/class/net'),
    mnt: mounts().filter(({ target }) => target === '/mnt').length,
  }))
  assert.deepEqual(inside, { name: 'node-1', links: ['lo'], mnt: 1 })
  assert.equal(process.cwd(), cwd)
  for (const path of Object.values(paths)) assert.equal(unpin(path), true)
  assert.equal(mounts().length, mountsBefore)
})

test('removing a pin also ends copies in other mount namespaces', { skip }, () => {
  using dir = folder()
  const net = join(dir.path, 'net')
  const other = join(dir.path, 'other')
  createNetns(net)
  createNamespaces({ mount: other }, () => undefined)
  const copies = () => withNamespaces({ mount: other }, () => mounts().filter(({ target }) => target === net).length)
  assert.equal(copies(), 1)
  unpin(net)
  assert.equal(copies(), 0)
  unpin(other)
})

test('parameters of a namespace', { skip }, () => {
  using dir = folder()
  const path = join(dir.path, 'a')
  createNetns(path)
  const missing = writeSysctls({ 'net/ipv4/ip_forward': 1, 'net/ipv4/no_such_parameter': 1 }, path)
  assert.deepEqual(missing, ['net/ipv4/no_such_parameter'])
  assert.equal(readSysctl('net/ipv4/ip_forward', path), '1')
  assert.equal(readSysctl('net/ipv4/no_such_parameter', path), undefined)
  assert.throws(() => writeSysctls({ 'net/ipv4/ip_forward': 'x' }, path), /EINVAL/)
  deleteNetns(path)
})

test('a read-only bind mount', { skip }, () => {
  using dir = folder()
  mountTmpfs('/mnt')
  mountBind(dir.path, '/mnt', { readOnly: true })
  const top = mounts().findLast(({ target }) => target === '/mnt')
  assert.ok(top?.options.includes('ro'))
  assert.equal(unmount('/mnt'), true)
  assert.equal(unmount('/mnt'), true)
  assert.equal(unmount('/mnt'), false)
})
