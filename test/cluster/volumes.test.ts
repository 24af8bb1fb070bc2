// Claims on a whole cluster: static volumes, volumes that are made where the pod goes, and what is left of them.
import * as assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { LiveCluster } from '#test/cluster/live-cluster.ts'
import { need } from '#test/need.ts'
import { until } from '#test/until.ts'

const skip = need({ root: true, programs: ['kubectl', 'conmon', 'crun', 'mkfs.ext4', 'mkfs.xfs', 'losetup'] })
const folder = mkdtempSync(join(tmpdir(), 'fairway-static-'))
let live: LiveCluster
before(() => {
  if (skip !== false) return
  const given = readFileSync('test/cluster/testdata/volumes.yaml', 'utf8').replaceAll('FOLDER', folder)
  writeFileSync(join(folder, 'volumes.yaml'), given)
  const files = ['examples/claim.yaml', 'examples/claim-local.yaml', join(folder, 'volumes.yaml')]
  live = new LiveCluster(
    'volumes',
    files.flatMap((file) => ['-f', file]),
  )
})
after(() => {
  live?.down()
  rmSync(folder, { recursive: true, force: true })
})

const phase = (claim: string) => live.value('.status.phase', 'persistentvolumeclaim', claim)
const inPod = (pod: string, script: string) => live.tryKubectl(['exec', pod, '--', 'sh', '-c', script])
const describe = (...words: readonly string[]) => live.kubectl('describe', ...words)
const loops = () =>
  spawnSync('losetup', ['--list', '--noheadings', '--output', 'BACK-FILE'], { encoding: 'utf8' }).stdout

test("claim1 with the source document's class waits, in Kubernetes' words", { skip }, () => {
  assert.equal(phase('claim1'), 'Pending')
  assert.match(
    describe('pvc', 'claim1'),
    /ExternalProvisioning .*Waiting for a volume to be created either by the external provisioner 'ceph\.rook\.io\/block'/,
  )
})

test('claim1 with our class: bound where its pod is, with the size as a limit', { skip }, () => {
  assert.equal(phase('claim1-local'), 'Bound')
  const volume = live.value('.spec.volumeName', 'pvc', 'claim1-local')
  const node = live.value('.spec.nodeName', 'pod', 'writer')
  assert.equal(
    live.value('.spec.nodeAffinity.required.nodeSelectorTerms[0].matchExpressions[0].values[0]', 'pv', volume),
    node,
  )
  assert.match(inPod('writer', 'df -h /data').stdout, /\b30G\b/)
})

test('a static volume: by size, mode and class; the pod writes to the folder', { skip }, async () => {
  assert.equal(live.value('.spec.volumeName', 'pvc', 'static'), 'middle')
  await until(() => assert.equal(live.value('.status.phase', 'pod', 'static-user'), 'Succeeded'))
  assert.equal(readFileSync(join(folder, 'middle/said'), 'utf8'), 'hello\n')
  assert.equal(live.value('.status.phase', 'pv', 'small'), 'Available')
  // A claim that may only read cannot write.
  assert.match(live.kubectl('logs', 'static-reader'), /Read-only file system/)
})

test('the default class: ENOSPC at the limit, growth while mounted', { skip }, async () => {
  const grown = inPod('xfs-user', 'dd if=/dev/zero of=/data/big bs=1M count=400 2>&1; rm /data/big; df -m /data')
  assert.match(grown.stdout, /No space left on device/)
  const patch = { spec: { resources: { requests: { storage: '600Mi' } } } }
  live.kubectl('patch', 'pvc', 'xfs', '-p', JSON.stringify(patch))
  await until(() => assert.equal(live.value('.status.capacity.storage', 'pvc', 'xfs'), '600Mi'))
  const said = describe('pvc', 'xfs')
  const reasons = ['ExternalExpanding', 'Resizing', 'FileSystemResizeRequired', 'FileSystemResizeSuccessful']
  for (const reason of reasons) assert.match(said, new RegExp(`Normal +${reason} `))
  assert.equal(live.value('.status.conditions', 'pvc', 'xfs'), '')
  assert.equal(live.value('.status.allocatedResources.storage', 'pvc', 'xfs'), '600Mi')
  assert.equal(inPod('xfs-user', 'dd if=/dev/zero of=/data/big bs=1M count=400').status, 0)
  const more = { spec: { resources: { requests: { storage: '9Gi' } } } }
  const refused = live.tryKubectl(['patch', 'pvc', 'static', '-p', JSON.stringify(more)])
  assert.match(refused.stderr, /only dynamically provisioned pvc can be resized/)
})

test(
  'a generic ephemeral volume: made for its pod, and gone with it; a claim of that name is refused',
  { skip },
  async () => {
    live.kubectl('create', '-f', 'test/cluster/testdata/volumes-ephemeral.yaml')
    await until(() => assert.equal(live.value('.status.phase', 'pod', 'scratch-user'), 'Running'))
    assert.equal(phase('scratch-user-scratch'), 'Bound')
    assert.equal(live.value('.metadata.labels.kind', 'pvc', 'scratch-user-scratch'), 'scratch')
    assert.equal(inPod('scratch-user', 'echo x > /scratch/x && df -m /scratch').status, 0)
    await until(() => {
      const said = describe('pod', 'refused')
      const why = 'PVC default/refused-scratch was not created for pod default/refused \\(pod is not owner\\)'
      assert.match(said, new RegExp(`FailedBinding .*ephemeral volume scratch: ${why}`))
      assert.match(said, new RegExp(`FailedScheduling .*0/3 nodes are available: ${why}`))
    })
    live.kubectl('delete', 'pod', 'scratch-user', 'refused', '--grace-period=1')
    await until(() => assert.match(live.tryKubectl(['get', 'pvc', 'scratch-user-scratch']).stderr, /NotFound/))
    assert.equal(phase('refused-scratch'), 'Pending')
    live.kubectl('delete', 'pvc', 'refused-scratch')
  },
)

test('what cannot be provided is said', { skip }, async () => {
  live.kubectl('create', '-f', 'test/cluster/testdata/volumes-later.yaml')
  await until(() => assert.match(describe('pvc', 'shared'), /ProvisioningFailed .*and not ReadWriteMany/))
  await until(() =>
    assert.match(describe('pod', 'nowhere'), /0\/3 nodes are available: persistentvolumeclaim "nowhere" not found\./),
  )
  // A start waits for everything that is there.
  live.kubectl('delete', 'pod', 'nowhere')
})

test('data survives pod, node process and stop; nothing goes that is in use', { skip }, async () => {
  const first = inPod('writer', 'cat /data/written').stdout
  assert.notEqual(first, '')
  const node = live.value('.spec.nodeName', 'pod', 'writer')
  const pid = new RegExp(`^${node} +(\\d+)`, 'm').exec(live.fairway('status').stdout)![1]
  process.kill(Number(pid), 'SIGKILL')
  live.fairway('up')
  assert.equal(inPod('writer', 'cat /data/written').stdout, first)
  assert.equal(live.fairway('stop', '--grace-period', '1s').status, 0)
  assert.doesNotMatch(loops(), new RegExp(live.name), 'no loop device is left of a stopped cluster')
  const started = live.fairway('start')
  assert.equal(started.status, 0, started.stderr)
  assert.ok(inPod('writer', 'cat /data/written').stdout.startsWith(first))

  live.kubectl('delete', 'pvc', 'claim1-local', '--wait=false')
  assert.match(live.kubectl('get', 'pvc', 'claim1-local'), /Terminating/)
  // The last pod goes, then the claim, then the volume with its file.
  const volume = live.value('.spec.volumeName', 'pvc', 'claim1-local')
  live.kubectl('delete', 'pod', 'writer', '--grace-period=1')
  await until(() => assert.match(live.tryKubectl(['get', 'pv', volume]).stderr, /NotFound/))
  assert.doesNotMatch(loops(), new RegExp(volume))
})
