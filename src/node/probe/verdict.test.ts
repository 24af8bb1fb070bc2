import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { endsProbing, extendRun, isEarly, pauseBeforeNext, verdictOf, type Run } from '#node/probe/verdict.ts'

/** s and f are results, the answer has what the verdict is after each: s, f or - for none yet. */
function verdicts(results: string, probe: object): string {
  let run: Run | undefined
  return [...results]
    .map((letter) => {
      run = extendRun(run, letter === 's' ? 'success' : 'failure')
      return verdictOf(probe, run)?.[0] ?? '-'
    })
    .join('')
}

for (const [name, probe, results, want] of [
  ['defaults: three failures, one success', {}, 'sffsfff', 's--s--f'],
  ['success threshold', { successThreshold: 2 }, 'ssfs', '-s--'],
  ['failure threshold 1', { failureThreshold: 1 }, 'fsf', 'fsf'],
] as const)
  test(`probe verdict: ${name}`, () => assert.equal(verdicts(results, probe), want))

test('probes that rest after a verdict', () => {
  assert.equal(endsProbing('startup', 'success'), true)
  assert.equal(endsProbing('liveness', 'failure'), true)
  assert.equal(endsProbing('liveness', 'success'), false)
  assert.equal(endsProbing('readiness', 'failure'), false)
})

test('a container that has just started is asked soon, others once a period', () => {
  const pause = (kind: 'readiness' | 'liveness', tries: number, sinceDueMs: number, everSucceeded = false) =>
    pauseBeforeNext({ periodSeconds: 1 }, kind, { tries, sinceDueMs, everSucceeded })
  assert.deepEqual(
    [0, 1, 2, 3].map((tries) => pause('readiness', tries, 0)),
    [25, 50, 100, 200],
  )
  assert.equal(pause('readiness', 9, 900), 100)
  assert.equal(pause('readiness', 3, 1000), 1000)
  assert.equal(pause('readiness', 1, 10, true), 1000)
  assert.equal(pause('liveness', 0, 0), 1000)
  assert.equal(isEarly({}, 'startup', { everSucceeded: false, sinceDueMs: 9999 }), true)
})
