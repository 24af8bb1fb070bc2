import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeBase32 } from '#lib/base32.ts'
import { fnv32a, sha256 } from '#lib/hash.ts'
import { byKey } from '#lib/sort.ts'
import { renderTable } from '#lib/table.ts'
import { toHex, utf8 } from '#lib/bytes.ts'
import { nearest } from '#lib/nearest.ts'

test('base32: the examples of RFC 4648', () => {
  const cases = { '': '', f: 'MY======', fo: 'MZXQ====', foo: 'MZXW6===', foob: 'MZXW6YQ=', fooba: 'MZXW6YTB' }
  for (const [input, want] of Object.entries(cases)) assert.equal(encodeBase32(utf8(input)), want)
})

test('hash: known answers', () => {
  assert.equal(toHex(sha256('abc')), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
  // kube-proxy's name of the port `https` of the Service default/kubernetes
  const name = encodeBase32(sha256('default/kubernetes:httpstcp')).slice(0, 16)
  assert.equal(name, 'NPX46M4PTMTKRN6Y')
  assert.equal(fnv32a('foobar'), 0xbf9cf968)
})

test('table: columns line up', () => {
  const rows = [
    ['NAME', 'READY', 'AGE'],
    ['hostnames-1', '1/1', '3m12s'],
    ['é', '', '1s'],
  ]
  assert.equal(renderTable(rows), 'NAME          READY   AGE\nhostnames-1   1/1     3m12s\né                     1s\n')
})

test('sort: by a key', () => {
  assert.deepEqual(
    [{ n: 'b' }, { n: 'B' }, { n: 'a' }].sort(byKey((x) => x.n)).map((x) => x.n),
    ['B', 'a', 'b'],
  )
})

test('nearest: the word that was meant', () => {
  const words = ['apiserver', 'controllers', 'up', 'down', 'status', 'proxy']
  const cases: readonly (readonly [string, string | undefined])[] = [
    ['apisever', 'apiserver'],
    ['staus', 'status'],
    ['porxy', 'proxy'],
    ['contr', 'controllers'],
    ['xyz', undefined],
  ]
  for (const [input, want] of cases) assert.equal(nearest(input, words), want, input)
})
