import * as assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { decodeTar, encodeTar, isTar } from '#lib/tar.ts'

const data = (text: string) => new TextEncoder().encode(text)
const long = `nodes/${'n'.repeat(63)}/pods/${'p'.repeat(63)}/${'f'.repeat(90)}.txt`
const files = [
  { name: 'a.txt', data: data('hello') },
  { name: 'empty', data: data('') },
  { name: 'block', data: data('x'.repeat(512)) },
  { name: long, data: data('déjà') },
]

test('tar: what is packed comes out again', () => {
  assert.deepEqual(decodeTar(encodeTar(files)), files)
  assert.ok(!isTar(data('*filter\n'.repeat(200))))
  assert.equal(decodeTar(data('no')), undefined)
})

test('tar: what is cut off loses only its end', () => {
  assert.deepEqual(
    decodeTar(encodeTar(files).subarray(0, 5 * 512))?.map(({ name }) => name),
    ['a.txt', 'empty', 'block'],
  )
})

test('tar: other programs read it, and it reads theirs', () => {
  const listed = spawnSync('tar', ['-tf', '-'], { input: encodeTar(files), encoding: 'utf8' })
  assert.deepEqual([listed.status, listed.stdout.trim().split('\n')], [0, files.map(({ name }) => name)])
  for (const format of ['gnu', 'pax', 'ustar']) {
    const words = [`--format=${format}`, '-cf', '-', './package.json', 'src/lib/tar.ts']
    const { stdout } = spawnSync('tar', words)
    assert.deepEqual(
      decodeTar(stdout)?.map(({ name }) => name),
      ['package.json', 'src/lib/tar.ts'],
      format,
    )
  }
})
