import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRegistry, type Registry } from '#daemon/metrics.ts'

const own = (registry: Registry) =>
  registry
    .render()
    .split('\n')
    .filter((line) => line.includes('test_'))
    .join('\n')

test('metrics: the text form', () => {
  const registry = createRegistry()
  const requests = registry.counter('test_requests_total', 'Requests.\nAll.', ['verb', 'path'])
  requests.add(1, 'GET', '/a "b"\\')
  requests.add(2, 'GET', '/a "b"\\')
  registry.counter('test_errors_total', 'Errors.')
  registry.gauge('test_size', 'Size.', [], (gauge) => gauge.set(1.5))
  const seconds = registry.histogram('test_seconds', 'Time.', [0.1, 1], ['op'])
  for (const value of [0.05, 0.1, 0.5, 7]) seconds.observe(value, 'x')
  assert.equal(
    own(registry),
    String.raw`# HELP test_errors_total Errors.
# TYPE test_errors_total counter
test_errors_total 0
# HELP test_requests_total Requests.\nAll.
# TYPE test_requests_total counter
test_requests_total{verb="GET",path="/a \"b\"\\"} 3
# HELP test_seconds Time.
# TYPE test_seconds histogram
test_seconds_bucket{op="x",le="0.1"} 2
test_seconds_bucket{op="x",le="1"} 3
test_seconds_bucket{op="x",le="+Inf"} 4
test_seconds_sum{op="x"} 7.65
test_seconds_count{op="x"} 4
# HELP test_size Size.
# TYPE test_size gauge
test_size 1.5`,
  )
})

test('metrics: one name, one metric', () => {
  const registry = createRegistry()
  registry.gauge('test_a', 'A.', ['x']).set(1, 'y')
  registry.gauge('test_a', 'A.', ['x']).add(1, 'y')
  assert.match(own(registry), /test_a\{x="y"\} 2/)
  registry.gauge('test_a', 'A.', ['x']).remove('y')
  assert.doesNotMatch(own(registry), /test_a\{/)
  assert.throws(() => registry.counter('test_a', 'A.', ['x']), /is a gauge/)
  assert.throws(() => registry.gauge('test_a', 'A.', ['x']).set(1), /has labels \(x\), not 0 values/)
})

test('metrics: the process itself', () => {
  const value = (name: string) => Number(new RegExp(`^${name} (.+)$`, 'm').exec(createRegistry().render())?.[1])
  assert.ok(Math.abs(value('process_start_time_seconds') - performance.timeOrigin / 1000) < 1)
  assert.ok(value('process_cpu_seconds_total') > 0)
  assert.ok(value('process_resident_memory_bytes') > 10e6)
  assert.ok(value('process_open_fds') > 2)
})
