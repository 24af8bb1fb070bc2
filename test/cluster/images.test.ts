// Images from files: what an image says of its command, environment, user and folder is what its container finds.
import * as assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { LiveCluster } from '#test/cluster/live-cluster.ts'
import { run } from '#test/fairway.ts'
import { need } from '#test/need.ts'

const skip = need({ root: true, programs: ['kubectl', 'conmon', 'crun', 'tar'], files: ['/bin/busybox'] })
const folder = mkdtempSync(join(tmpdir(), 'fairway-images-'))
let live: LiveCluster
before(() => {
  if (skip === false) live = new LiveCluster('images', ['--nodes', '1'])
})
after(() => {
  rmSync(folder, { recursive: true, force: true })
  live?.down()
})

type Files = Readonly<Record<string, string>>

/** A root file system with busybox as its shell. */
function busyboxRoot(name: string, files: Files): string {
  const root = join(folder, name)
  mkdirSync(join(root, 'bin'), { recursive: true })
  copyFileSync('/bin/busybox', join(root, 'bin/busybox'))
  for (const program of ['sh', 'cat', 'id', 'pwd', 'ls', 'sleep', 'env'])
    symlinkSync('busybox', join(root, 'bin', program))
  write(root, files)
  return root
}

function write(root: string, files: Files): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(root, path, '..'), { recursive: true })
    writeFileSync(join(root, path), text)
  }
}

const tarOf = (root: string): Buffer => {
  run(['tar', '--create', '--file', `${root}.tar`, '--directory', root, '.'])
  return readFileSync(`${root}.tar`)
}

const lower = (): Buffer =>
  tarOf(
    busyboxRoot('lower', {
      'etc/passwd': 'root:x:0:0::/root:/bin/sh\napp:x:1001:1002::/srv/app:/bin/sh\n',
      'etc/group': 'root:x:0:\napp:x:1002:\nstaff:x:50:app\n',
      'etc/gone': 'of the lower layer',
      'opt/old/one': 'of the lower layer',
    }),
  )
function upper(): Buffer {
  const root = join(folder, 'upper')
  write(root, {
    'etc/.wh.gone': '',
    'opt/old/.wh..wh..opq': '',
    'opt/old/two': 'of the upper layer',
    'start.sh': script,
  })
  chmodSync(join(root, 'start.sh'), 0o755)
  return tarOf(root)
}
const script =
  '#!/bin/sh\necho "args=$*"\nid\npwd\necho "greeting=$GREETING home=$HOME"\nls /etc /opt/old\nexec sleep 1000\n'
const config = {
  architecture: process.arch === 'x64' ? 'amd64' : process.arch,
  os: 'linux',
  config: {
    Entrypoint: ['/start.sh'],
    Cmd: ['from', 'image'],
    Env: ['PATH=/bin', 'GREETING=hello'],
    User: 'app',
    WorkingDir: '/srv/work',
  },
}

function dockerArchive(): string {
  const root = join(folder, 'docker')
  mkdirSync(root)
  writeFileSync(join(root, 'layer-1.tar'), lower())
  writeFileSync(join(root, 'layer-2.tar'), upper())
  const manifest = [{ Config: 'config.json', RepoTags: ['my/app:1'], Layers: ['layer-1.tar', 'layer-2.tar'] }]
  write(root, { 'config.json': JSON.stringify(config), 'manifest.json': JSON.stringify(manifest) })
  tarOf(root)
  return `${root}.tar`
}

function ociLayout(): string {
  const root = join(folder, 'oci')
  mkdirSync(join(root, 'blobs/sha256'), { recursive: true })
  const add = (bytes: Buffer) => {
    const hex = createHash('sha256').update(bytes).digest('hex')
    writeFileSync(join(root, 'blobs/sha256', hex), bytes)
    return { digest: `sha256:${hex}`, size: bytes.length }
  }
  const layers = [gzipSync(readFileSync(`${folder}/lower.tar`)), gzipSync(readFileSync(`${folder}/upper.tar`))].map(add)
  const manifest = add(
    Buffer.from(JSON.stringify({ schemaVersion: 2, config: add(Buffer.from(JSON.stringify(config))), layers })),
  )
  write(root, {
    'oci-layout': '{"imageLayoutVersion":"1.0.0"}',
    'index.json': JSON.stringify({ schemaVersion: 2, manifests: [manifest] }),
  })
  return root
}

function import_(...words: string[]): string {
  const { status, stdout, stderr } = live.fairway('image import', ...words)
  assert.equal(status, 0, stderr)
  return stdout
}

/** What the container of an image prints, once it has. */
function logsOf(name: string, image: string, ...words: string[]): string {
  live.kubectl('run', name, '--image', image, '--image-pull-policy=IfNotPresent', ...words)
  live.kubectl('wait', '--for=condition=Ready', `pod/${name}`, '--timeout=30s')
  return live.kubectl('logs', name)
}

const wanted = [
  'args=from image',
  'uid=1001(app) gid=1002(app) groups=50(staff)',
  '/srv/work',
  'greeting=hello home=/srv/app',
  '/etc:',
  'group',
  'hostname',
  'hosts',
  'passwd',
  'resolv.conf',
  '',
  '/opt/old:',
  'two',
]

test('an archive of docker save', { skip }, () => {
  assert.match(import_('my/app:1', dockerArchive()), /docker.io\/my\/app:1 +sha256:\w+ +2 .* \/start.sh from image/)
  assert.deepEqual(logsOf('docker', 'my/app:1').trim().split('\n'), wanted)
  assert.match(live.value('.status.containerStatuses[0].imageID', 'pod', 'docker'), /sha256:/)
})

test('an OCI layout, compressed; the pod’s own arguments and user', { skip }, () => {
  import_('registry.example.com/team/app:2', ociLayout())
  const overrides = JSON.stringify({ spec: { securityContext: { runAsUser: 7 } } })
  const shown = logsOf('oci', 'registry.example.com/team/app:2', '--overrides', overrides, '--', 'mine').split('\n')
  assert.deepEqual(shown.slice(0, 2), ['args=mine', 'uid=7 gid=0(root)'])
})

test('a folder as the root file system', { skip }, () => {
  import_('plain:1', '--rootfs', busyboxRoot('plain', { 'etc/motd': 'in the folder' }))
  assert.match(
    logsOf('plain', 'plain:1', '--command', '--', 'sh', '-c', 'cat /etc/motd; exec sleep 1000'),
    /in the folder/,
  )
})

test('a user that has a name only is no proof of not being root', { skip }, () => {
  const overrides = JSON.stringify({ spec: { securityContext: { runAsNonRoot: true } } })
  live.kubectl('run', 'strict', '--image=my/app:1', '--overrides', overrides)
  live.kubectl(
    'wait',
    'pod/strict',
    '--timeout=30s',
    '--for=jsonpath={.status.containerStatuses[0].state.waiting.reason}=CreateContainerConfigError',
  )
  assert.match(
    live.value('.status.containerStatuses[0].state.waiting.message', 'pod', 'strict'),
    /image has non-numeric user \(app\), cannot verify user is non-root/,
  )
})

test('images are listed, and removed with the layers that no other has', { skip }, () => {
  const names = () => [...live.fairway('image list').stdout.matchAll(/^(\S+:\d) /gm)].map(([, name]) => name)
  assert.deepEqual(names(), ['docker.io/library/plain:1', 'docker.io/my/app:1', 'registry.example.com/team/app:2'])
  assert.equal(live.fairway('image remove', 'plain:1').status, 0)
  assert.deepEqual(names(), ['docker.io/my/app:1', 'registry.example.com/team/app:2'])
  assert.match(live.fairway('image remove', 'plain:1').stderr, /no image "plain:1" was imported\n {2}there are: docker/)
})

const broken = join(folder, 'broken.tar')
for (const [words, message, exitCode] of [
  [['my:1'], /which name, and from which file\?/, 2],
  [['my:1', 'a.tar', '--rootfs', '/'], /which name, and from which file\?/, 2],
  [['My App', broken], /no image can be called "My App"/, 2],
  [['my:1', `${folder}/none.tar`], /\/none.tar: there is no such file/, 1],
  [['my:1', broken], /broken.tar: broken.tar cannot be unpacked: tar: /, 1],
  [['my:1', '--rootfs', `${folder}/none`], /\/none: there is no such folder/, 1],
  [['my:1', folder], /neither index.json .* nor manifest.json/, 1],
] as const)
  test(`refused: image import ${words.join(' ').replaceAll(folder, '')}`, { skip }, () => {
    writeFileSync(broken, 'this is no archive')
    const { status, stderr } = live.fairway('image import', ...words)
    assert.match(stderr, message)
    assert.equal(status, exitCode)
  })
