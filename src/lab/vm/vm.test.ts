import * as assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { encodeArchive } from '#lab/vm/archive.ts'
import { orderModules } from '#lab/vm/modules.ts'
import { need } from '#test/need.ts'
import { utf8 } from '#lib/bytes.ts'

test('vm: modules come after those that they need', () => {
  const dep = [
    'kernel/lib/crc.ko:',
    'kernel/fs/netfs.ko: kernel/lib/crc.ko',
    'kernel/fs/9p.ko: kernel/net/9pnet.ko kernel/fs/netfs.ko kernel/lib/crc.ko',
    'kernel/net/9pnet.ko:',
    'kernel/net/nf-tables.ko.xz: kernel/lib/crc.ko',
  ].join('\n')
  const order = orderModules(dep, ['9p', 'nf_tables'])
  assert.deepEqual(order, [
    'kernel/lib/crc.ko',
    'kernel/fs/netfs.ko',
    'kernel/net/9pnet.ko',
    'kernel/fs/9p.ko',
    'kernel/net/nf-tables.ko.xz',
  ])
  assert.throws(() => orderModules(dep, ['ip_vs']), /no module ip_vs/)
})

test('vm: cpio unpacks the archive', { skip: need({ programs: ['cpio'] }) }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'fairway-archive-'))
  try {
    const input = encodeArchive([
      { path: 'bin' },
      { path: 'bin/sh', bytes: utf8('#!'), isProgram: true },
      { path: 'five', bytes: utf8('12345') },
      { path: 'nothing', bytes: utf8('') },
    ])
    const { status, stderr } = spawnSync('cpio', ['-i', '--quiet'], { cwd: folder, input })
    assert.equal(status, 0, stderr.toString())
    assert.equal(readFileSync(join(folder, 'five'), 'utf8'), '12345')
    assert.equal(readFileSync(join(folder, 'nothing'), 'utf8'), '')
    assert.equal(statSync(join(folder, 'bin/sh')).mode & 0o777, 0o755)
    assert.equal(statSync(join(folder, 'five')).mode & 0o777, 0o644)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
