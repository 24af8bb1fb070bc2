import * as assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once, EventEmitter } from 'node:events'
import { test } from 'node:test'
import { nftablesGeneration, watchNftables } from '#kernel/netfilter/generation.ts'
import { need } from '#test/need.ts'

const skip = need({ root: true, programs: ['nft'] })
const nft = (words: string) => execFileSync('nft', words.split(' '))

test('generation: one more for each transaction, and told', { skip }, async () => {
  const events = new EventEmitter()
  using watch = watchNftables((transaction) => events.emit('changed', transaction))
  const before = nftablesGeneration()
  const told = once(events, 'changed')
  nft('add table ip told')
  assert.deepEqual(await told, [{ generation: before + 1, tables: new Set(['ip told']) }])
  assert.equal(nftablesGeneration(), before + 1)
  let count = 0
  events.on('changed', () => count++)
  watch.pause()
  nft('add chain ip told quiet')
  watch.resume()
  const again = once(events, 'changed')
  nft('delete table ip told')
  await again
  assert.equal(count, 1, 'nothing is told of the time of the pause')
})
