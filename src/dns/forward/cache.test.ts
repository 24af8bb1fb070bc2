import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CacheConfig } from '#dns/corefile/config.ts'
import { AnswerCache } from '#dns/forward/cache.ts'
import { askingOrder } from '#dns/forward/policy.ts'
import type { Reply } from '#dns/resolver.ts'
import { rcodes } from '#dns/wire/message.ts'

const side = { capacity: 2, maxTtl: 60, minTtl: 5 }
const config: CacheConfig = {
  zones: [''],
  success: side,
  denial: side,
  serveStaleMs: 0,
  disableSuccess: ['cluster.local'],
  disableDenial: [],
  servfailMs: 5000,
  keepTtl: false,
}
const good = (ttl: number): Reply => ({
  rcode: rcodes.NOERROR,
  authoritative: false,
  answers: [{ name: 'a.test', type: 1, class: 1, ttl, data: { kind: 'address', bytes: Uint8Array.of(192, 0, 2, 1) } }],
})
const soa = { mname: 'a', rname: 'b', serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 20 }
const denied: Reply = {
  rcode: rcodes.NXDOMAIN,
  authoritative: false,
  authorities: [{ name: 'test', type: 6, class: 1, ttl: 100, data: { kind: 'soa', soa } }],
}

test('cache: answers live as long as they say, within the bounds, and count down', () => {
  const cache = new AnswerCache(config)
  cache.put('a', 'a.test', good(30), 0)
  assert.equal(cache.get('a', 10_000)?.reply.answers?.[0]?.ttl, 20)
  assert.equal(cache.get('a', 30_000), undefined)
  cache.put('a', 'a.test', good(1000), 0)
  assert.ok(cache.get('a', 59_999))
  assert.equal(cache.get('a', 60_000), undefined)
  assert.equal(
    cache.put('a', 'a.test', good(1000), 0).answers?.[0]?.ttl,
    60,
    'what is told lives no longer than what is kept',
  )
  assert.equal(cache.get('a', 10_000)?.reply.answers?.[0]?.ttl, 50)
  assert.equal(
    cache.put('a', 'x.cluster.local', good(1000), 0).answers?.[0]?.ttl,
    1000,
    'what is not kept says what it said',
  )
  const keeping = new AnswerCache({ ...config, keepTtl: true })
  keeping.put('a', 'a.test', good(30), 0)
  assert.equal(keeping.get('a', 10_000)?.reply.answers?.[0]?.ttl, 30)
  cache.put('a', 'a.test', good(0), 0)
  assert.ok(cache.get('a', 4999), 'the least time is kept even where the answer says none')
})

test('cache: denials live by their SOA, failures shortly, what may not be kept is not', () => {
  const cache = new AnswerCache(config)
  cache.put('no', 'no.test', denied, 0)
  assert.ok(cache.get('no', 19_999))
  assert.equal(cache.get('no', 20_000), undefined)
  cache.put('bare', 'bare.test', { rcode: rcodes.NXDOMAIN, authoritative: false }, 0)
  assert.equal(cache.get('bare', 0), undefined)
  cache.put('fail', 'fail.test', { rcode: rcodes.SERVFAIL, authoritative: false }, 0)
  assert.ok(cache.get('fail', 4999))
  assert.equal(cache.get('fail', 5000), undefined)
  cache.put('own', 'x.cluster.local', good(30), 0)
  assert.equal(cache.get('own', 0), undefined)
})

test('cache: the oldest go first, a new answer of the other kind replaces', () => {
  const cache = new AnswerCache(config)
  for (const name of ['a', 'b', 'c']) cache.put(name, `${name}.test`, good(30), 0)
  assert.deepEqual(
    ['a', 'b', 'c'].map((name) => cache.get(name, 0) !== undefined),
    [false, true, true],
  )
  cache.put('b', 'b.test', denied, 0)
  assert.equal(cache.get('b', 0)?.reply.rcode, rcodes.NXDOMAIN)
  assert.deepEqual(cache.size, { success: 1, denial: 1 })
})

test('cache: stale answers are served while they are fetched again; what is popular is fetched early', () => {
  const stale = new AnswerCache({ ...config, serveStaleMs: 60_000 })
  stale.put('a', 'a.test', good(10), 0)
  assert.deepEqual([stale.get('a', 5000)?.refresh, stale.get('a', 20_000)?.refresh], [false, true])
  assert.equal(stale.get('a', 20_000)?.reply.answers?.[0]?.ttl, 0)
  assert.equal(stale.get('a', 70_000), undefined)
  const early = new AnswerCache({ ...config, prefetch: { amount: 2, durationMs: 60_000, percentage: 10 } })
  early.put('a', 'a.test', good(50), 0)
  assert.deepEqual([early.get('a', 1000)?.refresh, early.get('a', 46_000)?.refresh], [false, true])
})

test('forward: the order of upstreams', () => {
  const up = [{ fails: 0 }, { fails: 0 }, { fails: 0 }]
  const rows: [
    name: string,
    policy: 'random' | 'round_robin' | 'sequential',
    health: typeof up,
    turn: number,
    random: number,
    want: number[],
  ][] = [
    ['sequential', 'sequential', up, 7, 0.9, [0, 1, 2]],
    ['round robin', 'round_robin', up, 4, 0, [1, 2, 0]],
    ['random', 'random', up, 0, 0.99, [2, 0, 1]],
    ['the first is down', 'sequential', [{ fails: 2 }, ...up.slice(1)], 0, 0, [1, 2, 0]],
    ['all are down', 'round_robin', up.map(() => ({ fails: 9 })), 1, 0, [1, 2, 0]],
  ]
  for (const [name, policy, health, turn, random, want] of rows)
    assert.deepEqual(askingOrder({ policy, maxFails: 2 }, health, turn, random), want, name)
})
