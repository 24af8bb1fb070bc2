// Growth of an ext4 in use: the kernel wants CAP_SYS_RESOURCE for it, which sandboxes take away even from root.
import { test } from 'node:test'
import { need } from '#test/need.ts'
import { needVm, testInVm } from '#test/vm/vm.ts'

const skip = needVm() || need({ programs: ['mkfs.ext4', 'resize2fs', 'losetup'] })

test('ext4: the size holds, and it grows while it is in use', { skip, timeout: 300_000 }, () => {
  const run = { only: 'ext4', env: { FAIRWAY_RESIZES: 'ext4' } }
  testInVm(['src/storage/volume-store.netns.test.ts'], ['loop', 'ext4'], run)
})
