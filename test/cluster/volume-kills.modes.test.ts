// Provisioner and binder are killed at random moments while claims come, grow and go: in the end each claim has its one
// volume, and nothing is left of those that went.
import * as assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { events, nodes, persistentVolumeClaims, persistentVolumes } from '#api/core.ts'
import { storageClasses } from '#api/storage.ts'
import { mounts, unmount } from '#kernel/mount.ts'
import { KilledPart, killNowAndThen, startServer } from '#test/killed-part.ts'
import { need } from '#test/need.ts'
import { seeded } from '#test/random.ts'
import { until } from '#test/until.ts'

const skip = need({ root: true, programs: ['mkfs.ext4', 'losetup'] })
const rounds = process.env['FAIRWAY_SOAK'] ? 200 : 15
const folder = mkdtempSync(join(tmpdir(), 'fairway-volume-kills-'))
/** Images lie in the main folder, directories in another one of the node. */
const folders = { image: join(folder, 'main'), directory: join(folder, 'other') } as const
const below = () => mounts().filter(({ target }) => target.startsWith(folder))
after(() => {
  for (const { target } of below()) unmount(target)
  rmSync(folder, { recursive: true, force: true })
})
const namespace = 'default'

test('kills of provisioner and binder lose nothing and leave nothing', { skip, timeout: 600_000 }, async (t) => {
  const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 1e9))
  t.diagnostic(`SEED=${seed}`)
  const random = seeded(seed)
  await using server = await startServer(folder)
  const { client, kubeconfig } = server
  await client.create(nodes, { metadata: { name: 'node-1', labels: { 'kubernetes.io/hostname': 'node-1' } } })
  const ready = { status: { conditions: [{ type: 'Ready', status: 'True' }] } }
  await client.patch(nodes, 'node-1', ready, { type: 'merge', subresource: 'status' })
  const classes = { image: {}, directory: { folder: 'other' }, nowhere: { folder: 'gone' } }
  for (const [name, parameters] of Object.entries(classes))
    await client.create(storageClasses, {
      metadata: { name },
      provisioner: 'fairway/local',
      allowVolumeExpansion: true,
      parameters: { type: name === 'image' ? 'image' : 'directory', ...parameters },
    })
  const deciding = ['persistentvolume-binder', 'pvc-protection', 'pv-protection', 'persistentvolume-expander']
  const at = ['--kubeconfig', kubeconfig]
  const provisioning = [
    '--node-name',
    'node-1',
    '--folder',
    folders.image,
    '--named-folder',
    `other=${folders.directory}`,
  ]
  await using binder = new KilledPart([
    'controllers',
    ...at,
    '--controllers',
    deciding.join(','),
    '--controllers-health-address',
    '0',
  ])
  await using provisioner = new KilledPart(['provisioner', ...at, ...provisioning, '--health-address', '0'])

  const claims = new Map<string, { size: number; readonly type: string }>()
  let made = 0
  const storage = (size: number) => ({ resources: { requests: { storage: `${size}Mi` } } })
  const act = async () => {
    for (let i = 0; i < 2; i++) {
      const name = `claim-${made++}`
      const one = { size: 4, type: random.pick(['image', 'directory']) }
      claims.set(name, one)
      await client.create(persistentVolumeClaims, {
        metadata: { name, namespace },
        spec: { accessModes: ['ReadWriteOnce'], storageClassName: one.type, ...storage(one.size) },
      })
    }
    const [name, one] = random.pick([...claims])
    if (random.next() < 0.5) {
      claims.delete(name)
      await client.delete(persistentVolumeClaims, name, { namespace })
      return
    }
    // An image grows only where root may resize an ext4; and nothing grows before it is bound.
    if (one.type !== 'directory') return
    await client
      .patch(persistentVolumeClaims, name, { spec: storage(one.size * 2) }, { type: 'merge', namespace })
      .then(() => (one.size *= 2))
      .catch((error: Error) => assert.match(error.message, /Only bound persistent volume claims can be expanded/))
  }
  await killNowAndThen([binder, provisioner], { random, rounds, act })

  const what = () => `SEED=${seed}\n${provisioner.said}\n${binder.said}`
  const volumesNow = async () => (await client.list(persistentVolumes, {})).items
  await until(async () => {
    const { items } = await client.list(persistentVolumeClaims, { namespace })
    const has = items.map(
      ({ metadata, status }) => `${metadata?.name} ${status?.phase} ${status?.capacity?.['storage']}`,
    )
    const want = [...claims].map(([name, { size }]) => `${name} Bound ${size}Mi`)
    assert.deepEqual(has.sort(), want.sort(), what())
    for (const { status } of items) assert.deepEqual(status?.conditions ?? [], [], what())
    const volumes = await volumesNow()
    assert.deepEqual(
      volumes.map(({ spec, status }) => `${spec?.claimRef?.name} ${status?.phase}`).sort(),
      [...claims.keys()].map((name) => `${name} Bound`).sort(),
      what(),
    )
    for (const type of ['image', 'directory'] as const) {
      const own = volumes.filter(({ spec }) => spec?.storageClassName === type)
      const names = own.map(({ metadata }) => metadata!.name).sort()
      assert.deepEqual(readdirSync(join(folders[type], 'volumes')).sort(), names, what())
      assert.equal(readdirSync(join(folders[type], 'images')).length, type === 'image' ? own.length : 0, what())
    }
    assert.equal(below().length, [...claims.values()].filter(({ type }) => type === 'image').length, what())
  })
  await client.create(persistentVolumeClaims, {
    metadata: { name: 'nowhere', namespace },
    spec: { accessModes: ['ReadWriteOnce'], storageClassName: 'nowhere', ...storage(4) },
  })
  await until(async () => {
    const { items } = await client.list(events, { namespace })
    const said = items.filter(({ reason }) => reason === 'ProvisioningFailed').map(({ message }) => message)
    assert.match(
      said.join(),
      /node node-1 has no folder called "gone", it has other: give its provisioner --named-folder gone=PATH/,
    )
  })
  for (const name of [...claims.keys(), 'nowhere']) await client.delete(persistentVolumeClaims, name, { namespace })
  await until(async () => {
    assert.deepEqual(await volumesNow(), [], what())
    for (const one of Object.values(folders))
      for (const part of ['volumes', 'images', 'published']) assert.deepEqual(readdirSync(join(one, part)), [])
    assert.deepEqual(below(), [])
    const { stdout } = spawnSync('losetup', ['--list', '--noheadings', '--output', 'BACK-FILE'], { encoding: 'utf8' })
    assert.ok(!stdout.includes(folder), stdout)
  })
})
