// Claims and volumes as upstream's binder_test.go has them, played on objects in memory: what the plans ask for is done,
// again and again until they ask for nothing more. Every case is also broken off after each of its writes.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { applyMergePatch } from '#api/patch/merge-patch.ts'
import type { JsonObject } from '#api/patch/patched.ts'
import type { StorageClass } from '#api/storage.ts'
import type { Act } from '#client/control/act.ts'
import { type Claim, type Volume } from '#controllers/volume-binder/match.ts'
import { type ClaimView, planClaim } from '#controllers/volume-binder/plan-claim.ts'
import { planVolume } from '#controllers/volume-binder/plan-volume.ts'
import { claim, volume } from '#test/stored-volumes.ts'

type World = {
  claims: Claim[]
  volumes: Volume[]
  classes?: readonly StorageClass[]
  defaultClass?: string
  waiting?: readonly string[]
}
type Played = { readonly world: World; readonly told: readonly string[]; readonly writes: number }

const now = '2026-01-01T00:00:00Z'
const viewOf = ({ volumes, classes = [], defaultClass, waiting = [] }: World): ClaimView => ({
  volume: (name) => volumes.find(({ metadata }) => metadata.name === name),
  volumes: () => volumes,
  storageClass: (name) => classes.find(({ metadata }) => metadata?.name === name),
  defaultClass,
  waitingPods: () => waiting,
  now,
})

/** Does what the plans ask for; `most`: the process dies after so many writes, and begins anew. */
function play(start: World, most = Infinity): Played {
  const world = structuredClone(start)
  const told = new Set<string>()
  let writes = 0
  const perform = (acts: readonly Act[], limit: number): boolean => {
    for (const act of acts) {
      if (act.kind === 'event') {
        told.add(`${act.type} ${act.reason}: ${act.message}`)
        continue
      }
      assert.equal(act.kind, 'patch')
      if (act.kind !== 'patch') return false
      if (writes === limit) return false
      writes++
      const list: object[] = act.resource.plural === 'persistentvolumes' ? world.volumes : world.claims
      const at = list.findIndex((one) => (one as Claim).metadata.uid === act.target.uid)
      const patched = applyMergePatch(list[at] as JsonObject, act.patch)
      assert.equal(patched.kind, 'ok')
      if (patched.kind === 'ok') list[at] = patched.value
    }
    return true
  }
  const round = (limit: number): boolean => {
    const before = writes
    for (const i of world.claims.keys()) if (!perform(planClaim(world.claims[i]!, viewOf(world)), limit)) return false
    for (const i of world.volumes.keys()) {
      const one = world.volumes[i]!
      const { claimRef } = one.spec
      const owner = world.claims.find(({ metadata }) => metadata.name === claimRef?.name)
      if (!perform(planVolume(one, owner, now), limit)) return false
    }
    return writes > before
  }
  for (let rounds = 0; round(most); rounds++) assert.ok(rounds < 10, 'it comes to an end')
  for (let rounds = 0; round(Infinity); rounds++) assert.ok(rounds < 10, 'it comes to an end after a crash')
  return { world, told: [...told], writes }
}

const shown = ({ claims, volumes }: World) => [
  ...claims.map(
    ({ metadata, spec, status }) =>
      `${metadata.name}: ${status?.phase} ${spec.volumeName ?? '-'} ${status?.capacity?.['storage'] ?? '-'}${marksOf(metadata.annotations)}`,
  ),
  ...volumes.map(
    ({ metadata, spec, status }) =>
      `${metadata.name}: ${status?.phase} ${spec.claimRef?.name ?? '-'}${spec.claimRef && !spec.claimRef.uid ? ' (by name)' : ''}${marksOf(metadata.annotations)}`,
  ),
]
const marksOf = (annotations: Readonly<Record<string, string>> = {}) =>
  ['bind-completed', 'bound-by-controller']
    .filter((name) => `pv.kubernetes.io/${name}` in annotations)
    .map((name) => ` ${name}`)
    .join('')

const own = { name: 'claim', namespace: 'default', uid: 'uid-claim' }
const bound = (spec: object = {}, status: object = {}) =>
  claim(
    { volumeName: 'v', ...spec },
    { phase: 'Bound', capacity: { storage: '10Gi' }, accessModes: ['ReadWriteOnce'], ...status },
    {
      annotations: { 'pv.kubernetes.io/bind-completed': 'yes' },
    },
  )
const classNamed = (name: string, provisioner: string, volumeBindingMode = 'Immediate'): StorageClass => ({
  metadata: { name },
  provisioner,
  volumeBindingMode,
})
const delayed = classNamed('local', 'example.com/p', 'WaitForFirstConsumer')

const cases: readonly (readonly [string, World, readonly string[], readonly string[]])[] = [
  [
    'a claim finds a volume',
    { claims: [claim()], volumes: [volume('v')] },
    ['claim: Bound v 10Gi bind-completed bound-by-controller', 'v: Bound claim bound-by-controller'],
    [],
  ],
  [
    'a claim gets more than it asked for',
    { claims: [claim()], volumes: [volume('v', '30Gi')] },
    ['claim: Bound v 30Gi bind-completed bound-by-controller', 'v: Bound claim bound-by-controller'],
    [],
  ],
  [
    'no volume, no class',
    { claims: [claim()], volumes: [volume('v', '1Gi')] },
    ['claim: Pending - -', 'v: Available -'],
    ['Normal FailedBinding: no persistent volumes available for this claim and no storage class is set'],
  ],
  [
    'the class that is the default is written down, and then its provisioner asked',
    { claims: [claim()], volumes: [], classes: [classNamed('std', 'example.com/p')], defaultClass: 'std' },
    ['claim: Pending - -'],
    [
      "Normal ExternalProvisioning: Waiting for a volume to be created either by the external provisioner 'example.com/p' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.",
    ],
  ],
  [
    'an empty class wants no default',
    {
      claims: [claim({ storageClassName: '' })],
      volumes: [],
      classes: [classNamed('std', 'p.q/r')],
      defaultClass: 'std',
    },
    ['claim: Pending - -'],
    ['Normal FailedBinding: no persistent volumes available for this claim and no storage class is set'],
  ],
  [
    'a class that is not there',
    { claims: [claim({ storageClassName: 'gold' })], volumes: [] },
    ['claim: Pending - -'],
    ['Warning ProvisioningFailed: storageclass.storage.k8s.io "gold" not found'],
  ],
  [
    'a class that nobody provisions',
    {
      claims: [claim({ storageClassName: 'n' })],
      volumes: [],
      classes: [classNamed('n', 'kubernetes.io/no-provisioner')],
    },
    ['claim: Pending - -'],
    ['Warning ProvisioningFailed: no volume plugin matched name: kubernetes.io/no-provisioner'],
  ],
  [
    'a delayed class waits for a pod',
    {
      claims: [claim({ storageClassName: 'local' })],
      volumes: [volume('v', '10Gi', { storageClassName: 'local' })],
      classes: [delayed],
    },
    ['claim: Pending - -', 'v: Available -'],
    ['Normal WaitForFirstConsumer: waiting for first consumer to be created before binding'],
  ],
  [
    'a delayed class, and a pod that waits for a node',
    { claims: [claim({ storageClassName: 'local' })], volumes: [], classes: [delayed], waiting: ['a', 'b'] },
    ['claim: Pending - -'],
    ['Normal WaitForPodScheduled: waiting for pods a,b to be scheduled'],
  ],
  [
    'a delayed class takes what is reserved',
    {
      claims: [claim({ storageClassName: 'local' })],
      volumes: [volume('v', '10Gi', { claimRef: { name: 'claim', namespace: 'default' } })],
      classes: [delayed],
    },
    ['claim: Bound v 10Gi bind-completed bound-by-controller', 'v: Bound claim'],
    [],
  ],
  [
    'a volume reserved by name is bound without our mark',
    { claims: [claim()], volumes: [volume('v', '10Gi', { claimRef: { name: 'claim', namespace: 'default' } })] },
    ['claim: Bound v 10Gi bind-completed bound-by-controller', 'v: Bound claim'],
    [],
  ],
  [
    'a volume reserved for a claim that is not there stays Available',
    {
      claims: [],
      volumes: [volume('v', '10Gi', { claimRef: { name: 'other', namespace: 'default' } }, { phase: 'Pending' })],
    },
    ['v: Available other (by name)'],
    [],
  ],
  [
    'a claim that names its volume',
    { claims: [claim({ volumeName: 'v' })], volumes: [volume('v', '20Gi')] },
    ['claim: Bound v 20Gi bind-completed', 'v: Bound claim bound-by-controller'],
    [],
  ],
  [
    'a claim that names a volume which is not there',
    { claims: [claim({ volumeName: 'v' })], volumes: [] },
    ['claim: Pending v -'],
    ['Warning FailedBinding: volume "v" does not exist'],
  ],
  [
    'a claim that names a volume which is too small',
    { claims: [claim({ volumeName: 'v' })], volumes: [volume('v', '1Gi')] },
    ['claim: Pending v -', 'v: Available -'],
    ['Warning VolumeMismatch: Cannot bind to requested volume "v": requested PV is too small'],
  ],
  [
    "a claim that names somebody else's volume",
    {
      claims: [claim({ volumeName: 'v' })],
      volumes: [volume('v', '10Gi', { claimRef: { name: 'other', namespace: 'default' } })],
    },
    ['claim: Pending v -', 'v: Available other (by name)'],
    ['Warning FailedBinding: volume "v" already bound to a different claim.'],
  ],
  [
    'a bound claim whose volume is gone',
    { claims: [bound()], volumes: [] },
    ['claim: Lost v - bind-completed'],
    ['Warning ClaimLost: Bound claim has lost its PersistentVolume. Data on the volume is lost!'],
  ],
  [
    'a bound claim that has lost the name of its volume',
    { claims: [bound({ volumeName: undefined })], volumes: [] },
    ['claim: Lost - - bind-completed'],
    ['Warning ClaimLost: Bound claim has lost reference to PersistentVolume. Data on the volume is lost!'],
  ],
  [
    "a bound claim whose volume is another's",
    {
      claims: [
        bound(),
        {
          ...claim(
            { volumeName: 'v' },
            { phase: 'Bound', capacity: { storage: '10Gi' }, accessModes: ['ReadWriteOnce'] },
          ),
          metadata: { ...bound().metadata, name: 'other', uid: 'uid-other' },
        },
      ],
      volumes: [volume('v', '10Gi', { claimRef: { ...own, name: 'other', uid: 'uid-other' } }, { phase: 'Bound' })],
    },
    ['claim: Lost v - bind-completed', 'other: Bound v 10Gi bind-completed', 'v: Bound other'],
    ['Warning ClaimMisbound: Two claims are bound to the same volume, this one is bound incorrectly'],
  ],
  [
    'a bound claim, and a volume that has forgotten it',
    { claims: [bound()], volumes: [volume('v')] },
    ['claim: Bound v 10Gi bind-completed', 'v: Bound claim bound-by-controller'],
    [],
  ],
  [
    'the claim is gone, the volume is kept',
    { claims: [], volumes: [volume('v', '10Gi', { claimRef: own }, { phase: 'Bound' })] },
    ['v: Released claim'],
    [],
  ],
  [
    'the claim is another one of the same name',
    { claims: [], volumes: [volume('v', '10Gi', { claimRef: { ...own, uid: 'old' } }, { phase: 'Bound' })] },
    ['v: Released claim'],
    [],
  ],
  [
    'the claim is gone, and a provisioner is to take the volume away',
    {
      claims: [],
      volumes: [
        volume(
          'v',
          '10Gi',
          { claimRef: own, persistentVolumeReclaimPolicy: 'Delete' },
          { phase: 'Bound' },
          {
            annotations: { 'pv.kubernetes.io/provisioned-by': 'example.com/p' },
          },
        ),
      ],
    },
    ['v: Released claim'],
    [],
  ],
  [
    'the claim is gone, and nobody can delete',
    {
      claims: [],
      volumes: [volume('v', '10Gi', { claimRef: own, persistentVolumeReclaimPolicy: 'Delete' }, { phase: 'Bound' })],
    },
    ['v: Failed claim'],
    [
      'Warning VolumeFailedDelete: error getting deleter volume plugin for volume "v": no deletable volume plugin matched',
    ],
  ],
  [
    'two volumes got the same claim: the one that we gave is free again',
    {
      claims: [bound({ volumeName: 'w' })],
      volumes: [
        volume(
          'v',
          '10Gi',
          { claimRef: own },
          { phase: 'Bound' },
          { annotations: { 'pv.kubernetes.io/bound-by-controller': 'yes' } },
        ),
        volume('w', '10Gi', { claimRef: own }, { phase: 'Bound' }),
      ],
    },
    ['claim: Bound w 10Gi bind-completed', 'v: Available -', 'w: Bound claim'],
    [],
  ],
  [
    'two volumes got the same claim: the one reserved by its owner stays reserved',
    {
      claims: [bound({ volumeName: 'w' })],
      volumes: [
        volume('v', '10Gi', { claimRef: own }, { phase: 'Bound' }),
        volume('w', '10Gi', { claimRef: own }, { phase: 'Bound' }),
      ],
    },
    ['claim: Bound w 10Gi bind-completed', 'v: Available claim (by name)', 'w: Bound claim'],
    [],
  ],
  [
    'a new volume becomes Available',
    { claims: [], volumes: [volume('v', '10Gi', {}, { phase: 'Pending' })] },
    ['v: Available -'],
    [],
  ],
]

for (const [name, world, want, told] of cases)
  test(`binder: ${name}`, () => {
    const whole = play(world)
    assert.deepEqual(shown(whole.world), want)
    assert.deepEqual(whole.told, told)
    assert.equal(play(whole.world).writes, 0, 'what is done is not done again')
    for (let most = 0; most < whole.writes; most++)
      assert.deepEqual(
        shown(play(world, most).world),
        want,
        `after a crash with ${most} of ${whole.writes} writes done`,
      )
  })
