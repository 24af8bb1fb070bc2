import * as assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { commentBytes, NftBatch } from '#kernel/nftables/batch.ts'
import * as e from '#kernel/nftables/expression.ts'
import { NftablesError, openNftables } from '#kernel/nftables/nftables.ts'
import { need } from '#test/need.ts'

const skip = need({ root: true, programs: ['nft'] })
const nft = (...words: string[]) => execFileSync('nft', words, { encoding: 'utf8', stdio: 'pipe' })
const bytes = (...values: number[]) => Uint8Array.from(values)
const number = e.hostNumber

test('nftables: what is written is what nft shows', { skip }, () => {
  using kernel = openNftables(4)
  const batch = new NftBatch(4, 'test')
  batch.addTable('made by a test')
  batch.addChain('nobody', { comment: 'refuses' })
  batch.addRule('nobody', [e.meta(0, 'protocol'), e.compare(0, true, bytes(6)), e.reject('reset', 4)], 'TCP')
  batch.addRule('nobody', [e.reject('unreachable', 4)])
  batch.addSet({ name: 'numbers', key: ['number'], data: 'verdict' })
  batch.addSet({ name: 'services', key: ['ipv4', 'protocol', 'port'], data: ['number', 'number'] })
  batch.addSet({ name: 'endpoints', key: ['ipv4', 'protocol', 'port', 'number'], data: ['ipv4', 'port'] })
  batch.addSet({ name: 'seen', key: ['ipv4'], dynamic: { timeoutMs: 60_000 }, size: 100 })
  batch.addSet({ name: 'pods', key: ['ipv4'], interval: true })
  batch.addSet({ name: 'ranges', key: ['ipv4', 'port'], interval: true })
  batch.addElement('numbers', number(7), { data: { kind: 'goto', chain: 'nobody' } })
  const web = [10, 96, 0, 1, 6, 0, 0, 0, 0, 80, 0, 0]
  batch.addElement('services', bytes(...web), {
    data: bytes(0, 0, 0, 0, 7, 0, 0, 0),
    comment: commentBytes('demo/web'),
  })
  batch.addElement('endpoints', bytes(...web, 1, 0, 0, 0), { data: bytes(10, 1, 0, 2, 31, 144, 0, 0) })
  batch.addElement('pods', bytes(10, 244, 0, 0))
  batch.addElement('pods', bytes(10, 245, 0, 0), { isEnd: true })
  batch.addElement('ranges', bytes(10, 0, 0, 0, 0, 80, 0, 0), { end: bytes(10, 0, 0, 255, 0, 80, 0, 0) })
  batch.addElement('seen', bytes(1, 2, 3, 4), { timeoutMs: 9_000_000, expiresMs: 5_000_000 })
  batch.addChain('prerouting', { base: { type: 'nat', hook: 'prerouting', priority: -100 } })
  batch.addRule('prerouting', [
    e.payload(0, 'network', 16, 4),
    e.lookup('pods', 0, { inverted: true }),
    e.verdict({ kind: 'jump', chain: 'nobody' }),
  ])
  kernel.commit(batch)

  const shown = nft('list', 'table', 'ip', 'test')
  for (const text of [
    'comment "made by a test"',
    'comment "refuses"',
    'reject with tcp reset comment "TCP"',
    'reject',
    '0x00000007 : goto nobody',
    '10.96.0.1 . tcp . 80 comment "demo/web" : 0x00000000 . 0x00000007',
    '10.96.0.1 . tcp . 80 . 0x00000001 : 10.1.0.2 . 8080',
    'elements = { 10.244.0.0/16 }',
    '10.0.0.0/24 . 80',
    '1.2.3.4 timeout 2h30m expires 1h23m',
    'type nat hook prerouting priority dstnat; policy accept;',
    'ip daddr != @pods jump nobody',
  ])
    assert.ok(shown.includes(text), `${text}\n${shown}`)

  assert.deepEqual(
    kernel.ruleCounts('test'),
    new Map([
      ['nobody', 2],
      ['prerouting', 1],
    ]),
  )
  assert.deepEqual(kernel.chains('test').sort(), ['nobody', 'prerouting'])
  assert.deepEqual(kernel.sets('test').sort(), ['endpoints', 'numbers', 'pods', 'ranges', 'seen', 'services'])
  const [element] = kernel.elements('test', 'services')
  assert.deepEqual([element?.comment, [...(element?.key ?? [])]], ['demo/web', web])
  assert.ok(kernel.hasElement('test', 'services', bytes(...web)))
  assert.ok(!kernel.hasElement('test', 'services', bytes(...web.with(3, 2))))
  assert.ok(!kernel.hasElement('test', 'nothing', bytes(...web)))
  const handle = kernel.table('test')?.handle
  batch.deleteTable()
  batch.addTable('again')
  const generation = kernel.generation()
  kernel.commit(batch)
  assert.equal(kernel.generation(), generation + 1)
  assert.notEqual(kernel.table('test')?.handle, handle)
  assert.deepEqual(kernel.sets('test'), [])
  assert.equal(kernel.table('nothing'), undefined)
})

test('nftables: all or nothing, and the refusal says which operation', { skip }, () => {
  using kernel = openNftables(6)
  const batch = new NftBatch(6, 'refused')
  batch.addTable('')
  batch.addSet({ name: 'set', key: ['ipv6'] })
  batch.addElement('set', bytes(1, 2, 3, 4))
  batch.addElement('other', bytes(1, 2, 3, 4))
  const refused = (error: unknown) =>
    error instanceof NftablesError && error.operation === 'add elements to set' && error.code === 'EINVAL'
  assert.throws(() => kernel.commit(batch), refused)
  assert.equal(kernel.table('refused'), undefined)
  batch.addTable('')
  kernel.commit(batch)
  assert.notEqual(kernel.table('refused'), undefined)
  assert.ok(batch.isEmpty)
  kernel.commit(batch)
})

test('nftables: a hundred thousand elements in one transaction', { skip }, () => {
  using kernel = openNftables(4)
  const batch = new NftBatch(4, 'large')
  batch.addTable('')
  batch.addSet({ name: 'set', key: ['number', 'number'] })
  for (let i = 0; i < 100_000; i++) batch.addElement('set', new Uint8Array(Uint32Array.of(i, 1).buffer))
  kernel.commit(batch)
  assert.ok(kernel.hasElement('large', 'set', new Uint8Array(Uint32Array.of(99_999, 1).buffer)))
})
