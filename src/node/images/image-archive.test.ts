import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ArchivedImage, listImages, pickImage, readDefaults } from '#node/images/image-archive.ts'

const digest = (digit: string) => `sha256:${digit.repeat(64)}`
const blob = (digit: string) => `blobs/sha256/${digit.repeat(64)}`
const list = (files: Record<string, unknown>) =>
  listImages(
    new Set(Object.keys(files).map((path) => path.split('/')[0]!)),
    (path) => {
      if (!(path in files)) throw new Error(`no file ${path}`)
      return files[path]
    },
    'amd64',
  )
const manifest = { config: { digest: digest('c') }, layers: [{ digest: digest('1') }, { digest: digest('2') }] }
const image = (names: readonly string[]): ArchivedImage => ({
  names,
  config: blob('c'),
  layers: [
    { path: blob('1'), digest: digest('1') },
    { path: blob('2'), digest: digest('2') },
  ],
})

test('an OCI layout with one image', () =>
  assert.deepEqual(
    list({
      'index.json': {
        manifests: [{ digest: digest('a'), annotations: { 'org.opencontainers.image.ref.name': 'app:1' } }],
      },
      [blob('a')]: manifest,
    }),
    [image(['app:1'])],
  ))

test('an OCI layout whose image is there for several processors', () =>
  assert.deepEqual(
    list({
      'index.json': {
        manifests: [
          {
            digest: digest('b'),
            mediaType: 'application/vnd.oci.image.index.v1+json',
            annotations: { 'io.containerd.image.name': 'docker.io/library/app:1' },
          },
        ],
      },
      [blob('b')]: {
        manifests: [
          { digest: digest('d'), platform: { os: 'linux', architecture: 'arm64' } },
          { digest: digest('a'), platform: { os: 'linux', architecture: 'amd64' } },
          { digest: digest('e'), platform: { os: 'unknown', architecture: 'unknown' } },
        ],
      },
      [blob('a')]: manifest,
    }),
    [image(['docker.io/library/app:1'])],
  ))

test('an archive of docker save', () =>
  assert.deepEqual(
    list({ 'manifest.json': [{ Config: 'abc.json', RepoTags: ['app:1', 'app:latest'], Layers: ['x/layer.tar'] }] }),
    [
      {
        names: ['app:1', 'app:latest'],
        config: 'abc.json',
        layers: [{ path: 'x/layer.tar', digest: 'x/layer.tar' }],
      },
    ],
  ))

for (const [what, act, message] of [
  ['no image at all', () => list({ 'readme.txt': '' }), /neither index.json/],
  [
    'a digest that leads out of the archive',
    () => list({ 'index.json': { manifests: [{ digest: 'sha256:../../../etc/passwd' }] } }),
    /is no digest/,
  ],
  ['nothing for this processor', () => pickImage([], () => true), /no image for this machine/],
  [
    'several images, none of them meant',
    () => pickImage([image(['a:1']), image([])], () => false),
    /none of that name: a:1, one without a name/,
  ],
] as const)
  test(`an archive with ${what}`, () => assert.throws(act, message))

test('of several images the named one', () =>
  assert.deepEqual(pickImage([image(['a:1']), image(['b:1'])], (name) => name === 'b:1').names, ['b:1']))

test('the configuration of an image', () => {
  const config = {
    Entrypoint: ['/start'],
    Cmd: null,
    Env: ['PATH=/bin', 'EMPTY=', 'EQUALS=a=b'],
    WorkingDir: '/app',
    User: 'app',
    StopSignal: 'SIGQUIT',
  }
  assert.deepEqual(readDefaults({ config }), {
    entrypoint: ['/start'],
    cmd: [],
    env: { PATH: '/bin', EMPTY: '', EQUALS: 'a=b' },
    workingDir: '/app',
    user: 'app',
    stopSignal: 'SIGQUIT',
  })
  assert.deepEqual(readDefaults({}), { entrypoint: [], cmd: [], env: {}, workingDir: '/', user: '' })
})
