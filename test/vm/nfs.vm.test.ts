// Volumes on an NFS server, with a real one in a virtual machine: the kernel here may have neither server nor client.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { need } from '#test/need.ts'
import { inVm, needVm } from '#test/vm/vm.ts'

const skip = needVm() || need({ root: true, programs: ['rpc.nfsd', 'mount.nfs'] })

test('an NFS volume is mounted once, written to, and read only where the pod wants no more', { skip }, () => {
  const program = `
    import { mountNfs } from '#node/volumes/nfs.ts'
    import { mounts } from '#kernel/mount.ts'
    import { readFileSync, writeFileSync } from 'node:fs'
    const share = { server: '127.0.0.1', path: '/', options: ['nfsvers=4.2'] }
    await mountNfs('/run/pod/data', { ...share, readOnly: false })
    await mountNfs('/run/pod/data', { ...share, readOnly: false })
    writeFileSync('/run/pod/data/said', 'hello')
    await mountNfs('/run/pod/seen', { ...share, readOnly: true })
    let refusal = ''
    try { writeFileSync('/run/pod/seen/more', '') } catch (error) { refusal = error.code }
    const missing = await mountNfs('/run/pod/none', { ...share, path: '/nothing', readOnly: false }).catch((error) => error.message)
    const mounted = mounts().filter(({ target }) => target.startsWith('/run/pod')).map(({ target, type }) => target + ' ' + type)
    console.log(JSON.stringify({ onServer: readFileSync('/run/share/said', 'utf8'), refusal, missing, mounted }))
    process.exit(0)
  `
  const script = [
    'modprobe -a nfsd nfsv4',
    'mkdir -p /run/share /run/pod /run/rpc_pipefs /var/lib/nfs/v4recovery',
    'mount -t nfsd nfsd /proc/fs/nfsd',
    'mount -t tmpfs tmpfs /var/lib/nfs && mkdir -p /var/lib/nfs/sm /var/lib/nfs/v4recovery /var/lib/nfs/rpc_pipefs',
    'touch /var/lib/nfs/etab /var/lib/nfs/rmtab /var/lib/nfs/state',
    'exportfs -o rw,no_root_squash,insecure,fsid=0 127.0.0.1:/run/share',
    'rpc.mountd --no-nfs-version 3',
    'rpc.nfsd --no-nfs-version 3 2',
    'printf "%s" "$PROGRAM" >src/nfs-try.ts',
    'sh scripts/node src/nfs-try.ts',
  ].join('\n')
  const ran = inVm(['sh', '-ec', script], { env: { PROGRAM: program } })
  assert.equal(ran.status, 0, ran.stderr)
  const { onServer, refusal, missing, mounted } = JSON.parse(ran.stdout.trim().split('\n').at(-1)!)
  assert.equal(onServer, 'hello')
  assert.equal(refusal, 'EROFS')
  assert.match(missing, /^mount failed: .*No such file or directory/)
  assert.deepEqual(mounted, ['/run/pod/data nfs4', '/run/pod/seen nfs4'])
})
