// `fairway image build`: the image is read by our own importer in both of its forms, and the proxy in it does its work with
// nothing of this machine below it.
import * as assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { listImages } from '#node/images/image-archive.ts'
import { importArchive } from '#node/images/import-image.ts'
import { layerFolder } from '#node/images/image-store.ts'
import { decodeTar } from '#lib/tar.ts'
import { FakeKubernetes, type FakeObject } from '#test/fake-kubernetes.ts'
import { fairway } from '#test/fairway.ts'
import { need } from '#test/need.ts'
import { eventually } from '#test/running-proxy.ts'
import { readObjects } from '#test/yaml-objects.ts'

const skip = need({ root: true, programs: ['iptables', 'nft', 'tar', 'ldd', 'dpkg', 'unshare'] })
const folder = mkdtempSync(join(tmpdir(), 'fairway-own-image-'))
const archive = join(folder, 'fairway.tar')
let root = ''

before(async () => {
  if (skip !== false) return
  const { status, stderr } = fairway(['image', 'build', archive, '--package', 'iptables', '--tag', 'example.org/f:1'])
  assert.equal(status, 0, stderr)
  const { layers, defaults } = await importArchive(join(folder, 'store'), 'example.org/f:1', archive)
  assert.deepEqual(defaults.entrypoint.slice(-1), ['/opt/fairway/src/cli/main.ts'])
  root = layerFolder(join(folder, 'store'), layers[0]!)
})
after(() => rmSync(folder, { recursive: true }))

const inside = (words: readonly string[]) => {
  const script = 'mount --rbind /proc "$0/proc" && mount --rbind /sys "$0/sys" && exec chroot "$0" "$@"'
  return ['--mount', '--propagation', 'private', 'sh', '-c', script, root, ...words] as const
}
const env = { PATH: '/usr/sbin:/usr/bin', NODE_COMPILE_CACHE: '/opt/fairway/cache', NODE_COMPILE_CACHE_PORTABLE: '1' }

test('image build: an OCI layout with one image, named in full', { skip }, () => {
  const files = new Map(decodeTar(readFileSync(archive))!.map(({ name, data }) => [name, data]))
  files.delete('manifest.json')
  const read = (path: string) => JSON.parse(new TextDecoder().decode(files.get(path))) as unknown
  const [image, ...more] = listImages(new Set(files.keys()), read, process.arch === 'x64' ? 'amd64' : process.arch)
  assert.deepEqual([image?.names, more], [['example.org/f:1', '1'], []])
  assert.ok(files.has(image!.layers[0]!.path) && files.has(image!.config))
})

test('image build: the proxy in it programs Services in nftables mode; packages came along', { skip }, async () => {
  await using fake = await FakeKubernetes.start()
  const { services, slices, nodes } = readObjects('src/proxy/testdata/seeds.yaml')
  for (const object of services) fake.put('services', object as FakeObject)
  for (const object of slices) fake.put('endpointslices', object as unknown as FakeObject)
  for (const object of nodes) fake.put('nodes', object as FakeObject)
  const flags = ['--master', fake.url, '--hostname-override', 'node-1', '--cluster-cidr', '10.244.0.0/16']
  const others = ['--proxy-mode', 'nftables', '--healthz-bind-address', '', '--metrics-bind-address', '']
  const words = inside(['/usr/bin/fairway', 'proxy', ...flags, ...others])
  const proxy = spawn('unshare', words, { env, stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = once(proxy, 'close')
  let said = ''
  proxy.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
  const table = () => spawnSync('nft', ['list', 'map', 'ip', 'fairway-proxy', 'services'], { encoding: 'utf8' }).stdout
  try {
    await eventually('the DNS Service', () => proxy.exitCode !== null || table().includes('10.96.0.10 . udp . 53'))
    assert.equal(proxy.exitCode, null, said)
  } finally {
    proxy.kill('SIGTERM')
    await ended
  }
  const { stdout } = spawnSync('unshare', inside(['iptables', '-t', 'nat', '-S']), { env, encoding: 'utf8' })
  assert.match(stdout, /^-P PREROUTING ACCEPT$/m)
})

test('image build: a package that is not there is named', { skip }, () => {
  const { status, stderr } = fairway(['image', 'build', archive, '--package', 'no-such-package'])
  assert.equal(status, 1)
  assert.match(stderr, /the Debian package no-such-package is not installed here/)
})
