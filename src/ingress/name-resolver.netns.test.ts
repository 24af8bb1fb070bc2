// In a namespace without a way out: nobody is asked but the files of this machine.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeClock } from '#daemon/clock.ts'
import { createLogger } from '#daemon/log.ts'
import { NameResolver } from '#ingress/name-resolver.ts'
import { until } from '#test/until.ts'

function begin() {
  const clock = fakeClock(0)
  const lines: string[] = []
  const changes: string[] = []
  const used = new Set<string>()
  const ended = new AbortController()
  const resolver = new NameResolver({
    clock,
    log: createLogger({ format: 'text', level: 0, write: (line) => void lines.push(line) }),
    signal: ended.signal,
    isUsed: (name) => used.has(name),
    onChange: (name) => void changes.push(name),
  })
  return { clock, lines, changes, used, ended, resolver }
}

test('the first question asks, and its answer is told; nothing is told where it stays the same', async () => {
  const { clock, changes, used, ended, resolver } = begin()
  used.add('192.0.2.5')
  assert.deepEqual(resolver.addresses('192.0.2.5'), [])
  await until(() => assert.deepEqual(changes, ['192.0.2.5']))
  assert.deepEqual(resolver.addresses('192.0.2.5'), ['192.0.2.5'])
  for (let i = 0; i < 3; i++) {
    clock.advance(10_000)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  assert.deepEqual(changes, ['192.0.2.5'])
  ended.abort()
})

test('a name that nobody uses any more is forgotten', async () => {
  const { clock, changes, used, ended, resolver } = begin()
  used.add('192.0.2.6')
  resolver.addresses('192.0.2.6')
  await until(() => assert.equal(changes.length, 1))
  used.clear()
  await until(() => {
    clock.advance(10_000)
    assert.deepEqual(resolver.addresses('192.0.2.6'), [])
  })
  ended.abort()
})

for (const name of ['localhost', '127.0.0.1', '169.254.169.254', '::1'])
  test(`${name} is not used: whoever may write a Service shall not reach this machine by it`, async () => {
    const { lines, changes, ended, resolver } = begin()
    resolver.addresses(name)
    await until(() => assert.match(lines.join(''), /addresses of this machine itself are not used/))
    assert.deepEqual([resolver.addresses(name), changes], [[], []])
    ended.abort()
  })

test('a name that nobody knows is said, and has no addresses', async () => {
  const { lines, ended, resolver } = begin()
  resolver.addresses('nobody.invalid')
  await until(() => assert.match(lines.join(''), /cannot resolve the name .*nobody\.invalid/))
  assert.deepEqual(resolver.addresses('nobody.invalid'), [])
  ended.abort()
})
