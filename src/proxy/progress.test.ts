import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeClock } from '#daemon/clock.ts'
import { createRegistry } from '#daemon/metrics.ts'
import { HealthState } from '#proxy/health/health-state.ts'
import { createProxyMetrics } from '#proxy/metrics.ts'
import { createProgress } from '#proxy/progress.ts'

test('progress: changes are pending until they are written, and then it is known how long that took', async () => {
  const clock = fakeClock(1_000_000)
  const registry = createRegistry()
  const progress = createProgress([4, 6], new HealthState(60_000), createProxyMetrics(registry), clock)
  const value = (name: string) =>
    Number(new RegExp(`^kubeproxy_${name} (\\S+)$`, 'm').exec(registry.render())?.[1] ?? Number.NaN)
  const pending = () => ['service', 'endpoint'].map((kind) => value(`sync_proxy_rules_${kind}_changes_pending`))
  const programmed = (what: string) => value(`network_programming_duration_seconds_${what}{ip_family="IPv4"}`)

  progress.queued('@environment')
  progress.queued('demo/a', 'service')
  progress.queued('demo/a', 'endpoints', 999_999)
  await clock.advance(500)
  progress.queued('demo/b', 'endpoints', 1_000_250)
  progress.queued('demo/b', 'endpoints', 1_000_500)
  assert.deepEqual(pending(), [1, 3])
  assert.deepEqual([progress.isWritten, value('sync_proxy_rules_endpoint_changes_total')], [false, 3])
  await clock.advance(500)
  progress.written(['@environment', 'demo/b'])
  assert.deepEqual(pending(), [1, 1])
  assert.deepEqual([progress.isWritten, programmed('count'), programmed('sum')], [true, 2, 1.25])
  progress.written(['demo/a'])
  assert.deepEqual(pending(), [0, 0])
  assert.equal(programmed('count'), 2, 'what changed before the start does not count')
})
