// Volumes on this machine's disk, with real file systems on real loop devices.
import * as assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { mounts, unmount } from '#kernel/mount.ts'
import { VolumeStore } from '#storage/volume-store.ts'
import { need } from '#test/need.ts'

const skip = need({ root: true, programs: ['mkfs.ext4', 'mkfs.xfs', 'losetup'] })
const folder = mkdtempSync(join(tmpdir(), 'fairway-volumes-'))
const store = new VolumeStore(folder)
const mi = 1 << 20
/** CAP_SYS_RESOURCE, which some containers and sandboxes take away even from root. */
const mayResizeExt4 =
  (BigInt(`0x${/^CapEff:\s*(\w+)/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]}`) & (1n << 24n)) !== 0n
// Where it must be tried it is no excuse that it is missing.
assert.ok(mayResizeExt4 || process.env['FAIRWAY_RESIZES'] === undefined, 'CAP_SYS_RESOURCE is missing')
const below = () => mounts().filter(({ target }) => target.startsWith(folder))
const loops = () =>
  execFileSync('losetup', ['--list', '--noheadings', '--output', 'BACK-FILE'], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes(folder))
after(() => {
  for (const { target } of below()) unmount(target)
  rmSync(folder, { recursive: true, force: true })
})

for (const [fileSystem, sizeBytes] of [
  ['ext4', 64 * mi],
  ['xfs', 320 * mi],
] as const)
  test(`${fileSystem}: the size holds, it grows while it is in use, and goes without a trace`, { skip }, async () => {
    const name = `pvc-${fileSystem}`
    await store.create(name, { type: 'image', fileSystem, sizeBytes })
    const path = store.pathOf(name)
    const size = () => {
      const { blocks, bsize } = statfsSync(path)
      return blocks * bsize
    }
    // An XFS of this size keeps 64 MiB for its log.
    assert.ok(size() > 0.75 * sizeBytes && size() <= sizeBytes, `df says ${size()}`)
    assert.equal(statSync(path).mode & 0o777, 0o777)
    assert.ok(
      statSync(join(folder, `images/${name}.img`)).blocks * 512 < sizeBytes / 2,
      'what is not used takes no room',
    )
    writeFileSync(join(path, 'kept'), 'data')
    assert.throws(() => writeFileSync(join(path, 'big'), Buffer.alloc(sizeBytes, 1)), { code: 'ENOSPC' })
    rmSync(join(path, 'big'))

    const before = size()
    if (fileSystem === 'ext4' && !mayResizeExt4) {
      store.grow(name, 2 * sizeBytes)
      await assert.rejects(store.growFileSystem(name), /resize2fs .*Permission denied .*CAP_SYS_RESOURCE/s)
    } else {
      for (let i = 0; i < 2; i++) {
        store.grow(name, 2 * sizeBytes)
        await store.growFileSystem(name)
      }
      assert.ok(size() > 1.6 * before, `df says ${size()} and before ${before}`)
    }
    assert.equal(readFileSync(join(path, 'kept'), 'utf8'), 'data')

    // As after a reboot.
    unmount(join(folder, 'volumes', name))
    assert.equal(existsSync(path), false, 'nothing can be written beside the volume')
    await store.mount(name)
    assert.equal(readFileSync(join(path, 'kept'), 'utf8'), 'data')

    store.remove(name)
    store.remove(name)
    assert.deepEqual([below(), readdirSync(join(folder, 'images')), readdirSync(join(folder, 'volumes'))], [[], [], []])
    assert.deepEqual(loops(), [])
  })

test('what was half made is made anew; what nobody was told of is found', { skip }, async () => {
  writeFileSync(join(folder, 'images/pvc-half.img.new'), 'rubbish')
  assert.deepEqual(store.unpublished(), ['pvc-half'])
  await store.create('pvc-half', { type: 'image', fileSystem: 'ext4', sizeBytes: 8 * mi })
  store.publish('pvc-half')
  assert.deepEqual(store.unpublished(), [])
  assert.deepEqual(readdirSync(join(folder, 'images')), ['pvc-half.img'])
  store.remove('pvc-half')
})

test('a folder without a limit', { skip }, async () => {
  await store.create('pvc-plain', { type: 'directory', fileSystem: 'ext4', sizeBytes: 1 })
  assert.deepEqual(below(), [])
  writeFileSync(join(store.pathOf('pvc-plain'), 'x'), 'more than one byte')
  await store.mount('pvc-plain')
  store.grow('pvc-plain', 2)
  await store.growFileSystem('pvc-plain')
  store.remove('pvc-plain')
  assert.equal(existsSync(store.pathOf('pvc-plain')), false)
})

test('bad news have words', { skip }, async () => {
  await assert.rejects(store.mount('pvc-gone'), /the volume pvc-gone is not on this node any more/)
  await assert.rejects(
    store.create('pvc-tiny', { type: 'image', fileSystem: 'ext4', sizeBytes: 100 }),
    /mkfs\.ext4 .*size/i,
  )
  store.remove('pvc-tiny')
  assert.equal(store.claim('one'), undefined)
  assert.equal(store.claim('one'), undefined)
  assert.equal(store.claim('two'), 'one')
})
