import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { planCleaning } from '#controllers/token-cleaner/plan.ts'

const now = Date.UTC(2026, 10, 21)
const token = (name: string, expiration?: string) =>
  ({ metadata: { name }, ...(expiration !== undefined && { data: { expiration: btoa(expiration) } }) }) as never

test('what is over goes, what will be is waited for, what never ends stays', () => {
  const tokens = [
    token('for-ever'),
    token('past', '2026-11-20T23:59:59Z'),
    token('just-now', '2026-11-21T00:00:00Z'),
    token('later', '2026-11-23T00:00:00+01:00'),
    token('tomorrow', '2026-11-22T00:00:00Z'),
    token('unreadable', 'soon'),
  ]
  const { over, nextMs } = planCleaning(tokens, now)
  assert.deepEqual(
    over.map(({ metadata }) => metadata.name),
    ['past', 'just-now', 'unreadable'],
  )
  assert.equal(nextMs, Date.UTC(2026, 10, 22))
  assert.deepEqual(planCleaning([token('for-ever')], now), { over: [], nextMs: undefined })
})
