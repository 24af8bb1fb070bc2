// The cases of pkg/controller/volume/persistentvolume/index_test.go and binder_test.go (Kubernetes 1.36), as tables.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { findVolume, whyUnfit } from '#controllers/volume-binder/match.ts'
import { claim, volume } from '#test/stored-volumes.ts'
import { at } from '#test/stored-objects.ts'

const rwo = ['ReadWriteOnce']
const both = ['ReadWriteOnce', 'ReadOnlyMany']
const reserved = (name: string, uid?: string) => ({ claimRef: { namespace: 'default', name, ...(uid && { uid }) } })

const cases = [
  ['the smallest that fits', claim(), [volume('a', '20Gi'), volume('b', '10Gi'), volume('c', '5Gi')], 'b'],
  ['of equal ones the first', claim(), [volume('a', '10Gi'), volume('b', '10Gi')], 'a'],
  ['none is large enough', claim(), [volume('a', '9Gi')], undefined],
  [
    'fewest modes before least size',
    claim(),
    [volume('a', '10Gi', { accessModes: both }), volume('b', '100Gi', { accessModes: rwo })],
    'b',
  ],
  [
    'all modes that are asked for',
    claim({ accessModes: both }),
    [volume('a'), volume('b', '99Gi', { accessModes: both })],
    'b',
  ],
  ['not what belongs to another', claim(), [volume('a', '10Gi', reserved('other', 'u'))], undefined],
  ['not what belonged to one of the same name', claim(), [volume('a', '10Gi', reserved('claim', 'old'))], undefined],
  [
    'what is reserved by name, whatever its class, phase and labels',
    claim({ storageClassName: 'gold', selector: { matchLabels: { a: 'b' } } }),
    [volume('x', '10Gi', { storageClassName: 'gold' }), volume('a', '50Gi', reserved('claim'), { phase: 'Released' })],
    'a',
  ],
  ['what is reserved, but too small', claim(), [volume('a', '1Gi', reserved('claim')), volume('b')], 'b'],
  ['only Available ones', claim(), [volume('a', '10Gi', {}, { phase: 'Released' }), volume('b', '20Gi')], 'b'],
  [
    'the class must be the same',
    claim({ storageClassName: 'gold' }),
    [volume('a'), volume('b', '20Gi', { storageClassName: 'gold' })],
    'b',
  ],
  ['no class is the same as an empty one', claim({ storageClassName: '' }), [volume('a')], 'a'],
  [
    'file systems and blocks do not mix',
    claim({ volumeMode: 'Block' }),
    [volume('a'), volume('b', '20Gi', { volumeMode: 'Block' })],
    'b',
  ],
  ['nothing said is a file system', claim(), [volume('a', '10Gi', { volumeMode: 'Filesystem' })], 'a'],
  [
    'labels',
    claim({ selector: { matchLabels: { tier: 'fast' } } }),
    [volume('a'), volume('b', '20Gi', {}, {}, { labels: { tier: 'fast' } })],
    'b',
  ],
  ['not what is on its way out', claim(), [volume('a', '10Gi', {}, {}, { deletionTimestamp: at(0) })], undefined],
  [
    'another volume attributes class',
    claim({ volumeAttributesClassName: 'x' }),
    [volume('a'), volume('b', '20Gi', { volumeAttributesClassName: 'x' })],
    'b',
  ],
] as const
for (const [name, asked, volumes, want] of cases)
  test(`a volume for a claim: ${name}`, () => assert.equal(findVolume(asked, volumes)?.metadata.name, want))

test('a claim that waits for its pod takes nothing but what is reserved for it', () => {
  assert.equal(findVolume(claim(), [volume('a')], { isDelayed: true }), undefined)
  const own = volume('b', '20Gi', reserved('claim'))
  assert.equal(findVolume(claim(), [volume('a'), own], { isDelayed: true })?.metadata.name, 'b')
})

test('the scheduler asks for a node: what is not usable there is left', () => {
  const volumes = [volume('a'), volume('b', '20Gi')]
  const on = (name: string) => ({
    isDelayed: true,
    isUsable: (one: { metadata: { name: string } }) => one.metadata.name === name,
  })
  assert.equal(findVolume(claim(), volumes, on('b'))?.metadata.name, 'b')
  assert.equal(findVolume(claim(), [volume('c', '10Gi', reserved('claim')), ...volumes], on('b')), undefined)
  assert.equal(findVolume(claim(), volumes, { ...on('b'), except: new Set(['b']) }), undefined)
})

test('why a named volume does not fit, in the words of Kubernetes', () => {
  const table = [
    [volume('v'), claim(), undefined],
    [volume('v', '1Gi'), claim(), 'requested PV is too small'],
    [volume('v'), claim({ storageClassName: 'gold' }), 'storageClassName does not match'],
    [volume('v'), claim({ volumeMode: 'Block' }), 'incompatible volumeMode'],
    [volume('v'), claim({ accessModes: ['ReadWriteMany'] }), 'incompatible accessMode'],
    [volume('v'), claim({ volumeAttributesClassName: 'x' }), 'volumeAttributesClassName does not match'],
    [volume('v', '10Gi', {}, {}, { deletionTimestamp: at(0) }), claim(), 'the volume is marked for deletion "v"'],
  ] as const
  for (const [one, asked, want] of table) assert.equal(whyUnfit(one, asked), want)
})
