import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { readRequest } from '#storage/request.ts'
import { claim } from '#test/stored-volumes.ts'

const gi = 1 << 30
const asked = (spec: object = {}, parameters?: Record<string, string>) => {
  const answer = readRequest(claim({ ...spec }), { provisioner: 'fairway/local', ...(parameters && { parameters }) })
  return 'request' in answer ? answer.request : answer.problem
}
const image = { type: 'image', fileSystem: 'ext4', sizeBytes: 10 * gi }

test('what a claim asks for', () => {
  assert.deepEqual(asked(), image)
  assert.deepEqual(asked({}, { type: 'directory' }), { ...image, type: 'directory' })
  assert.deepEqual(asked({}, { folder: 'fast' }), { ...image, folder: 'fast' })
  assert.deepEqual(asked({}, { fsType: 'xfs' }), { ...image, fileSystem: 'xfs' })
  assert.deepEqual(asked({}, { 'csi.storage.k8s.io/fstype': 'xfs' }), { ...image, fileSystem: 'xfs' })
  assert.deepEqual(asked({ accessModes: ['ReadWriteOncePod'] }), image)
})

for (const [what, spec, parameters, want] of [
  ['a parameter', {}, { size: '1' }, 'parameter "size" is not known: there are type, fsType and folder'],
  ['a type', {}, { type: 'lvm' }, 'parameter type: "lvm" is neither image nor directory'],
  ['a file system', {}, { fsType: 'btrfs' }, 'parameter fsType: "btrfs" is neither ext4 nor xfs'],
  ['a block device', { volumeMode: 'Block' }, {}, 'volumes of mode Block are not provisioned'],
  ['a selector', { selector: {} }, {}, 'claim.spec.selector is not supported'],
  ['a source', { dataSource: { kind: 'x', name: 'y' } }, {}, 'claim.spec.dataSource is not supported'],
  [
    'several nodes',
    { accessModes: ['ReadWriteMany'] },
    {},
    'a volume of one node has access mode ReadWriteOnce or ReadWriteOncePod, and not ReadWriteMany',
  ],
  [
    'too little',
    { resources: { requests: { storage: '1Mi' } } },
    { fsType: 'xfs' },
    'a volume with xfs needs 300Mi at least',
  ],
] as const)
  test(`refused: ${what}`, () => assert.equal(asked(spec, parameters), want))
