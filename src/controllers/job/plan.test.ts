import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Job, type JobStatus, jobs } from '#api/batch.ts'
import type { Pod } from '#api/core.ts'
import type { Stored } from '#api/stored.ts'
import { formatIndexes, parseIndexes } from '#controllers/job/indexes.ts'
import { planJob } from '#controllers/job/plan.ts'
import { jobPod, trackingFinalizer } from '#controllers/job/pods.ts'
import { at, epochMs, meta, ownedBy, pod } from '#test/stored-objects.ts'

const job = (spec: object = {}, status: object = {}) =>
  ({
    metadata: meta('pi'),
    spec: { template: { spec: { containers: [{ name: 'c' }], restartPolicy: 'Never' } }, ...spec },
    status,
  }) as unknown as Stored<Job>

/** `a Running`, `b Succeeded counted`, `c Failed@30`, `d Succeeded #2`: name, phase, whether its finalizer is off, end, number. */
function made(text: string): Stored<Pod> {
  const [, name = '', phase = '', end, index, counted, going] =
    /^(\w+) (\w+)(?:@(\d+))?(?: #(\d+))?( counted)?( going)?$/.exec(text) ?? []
  const terminated =
    end === undefined ? {} : { containerStatuses: [{ state: { terminated: { finishedAt: at(Number(end)) } } }] }
  return pod(name, {
    metadata: {
      finalizers: counted ? [] : [trackingFinalizer],
      ...(index && { annotations: { 'batch.kubernetes.io/job-completion-index': index } }),
      ...(going && { deletionTimestamp: at(1) }),
    },
    status: { phase, ...terminated },
  })
}
const plan = (one: Stored<Job>, pods: readonly string[], seconds = 60) =>
  planJob({ job: one, pods: pods.map(made), nowMs: epochMs + seconds * 1000 })
const condition = (status: JobStatus) =>
  status.conditions?.map(({ type, reason }) => `${type}:${reason}`).join(' ') ?? ''

test('a pod of a Job', () => {
  const made = jobPod(job())
  assert.deepEqual(
    [made.metadata?.generateName, made.metadata?.finalizers, made.metadata?.ownerReferences],
    ['pi-', [trackingFinalizer], ownedBy(jobs, 'pi')],
  )
  const second = jobPod(job({ completionMode: 'Indexed' }), 2)
  assert.deepEqual(
    [second.metadata?.generateName, second.spec?.hostname, second.metadata?.labels],
    ['pi-2-', 'pi-2', { 'batch.kubernetes.io/job-completion-index': '2' }],
  )
  assert.equal(second.spec?.containers[0]?.env?.[0]?.name, 'JOB_COMPLETION_INDEX')
})

test('how many pods', () => {
  const cases: readonly (readonly [string, object, object, readonly string[], number, number])[] = [
    ['one', { completions: 1 }, {}, [], 1, 0],
    ['side by side', { completions: 5, parallelism: 2 }, {}, [], 2, 0],
    ['one more', { completions: 5, parallelism: 2 }, { succeeded: 2 }, ['a Running'], 1, 0],
    ['not more than are still wanted', { completions: 5, parallelism: 3 }, { succeeded: 4 }, [], 1, 0],
    ['a queue: none has succeeded', { parallelism: 3 }, {}, ['a Running'], 2, 0],
    ['a queue: one has succeeded', { parallelism: 3 }, { succeeded: 1 }, ['a Running'], 0, 0],
    ['fewer side by side', { completions: 5, parallelism: 1 }, {}, ['a Running', 'b Running'], 0, 1],
    ['suspended', { completions: 1, suspend: true }, {}, ['a Running'], 0, 1],
    ['after a failure: not at once', { completions: 1 }, {}, ['a Failed@55'], 0, 0],
    ['after a failure: after ten seconds', { completions: 1 }, {}, ['a Failed@50'], 1, 0],
    ['after two: after twenty', { completions: 1 }, {}, ['a Failed@10', 'b Failed@45'], 0, 0],
    ['a success in between', { completions: 2 }, {}, ['a Failed@55', 'b Succeeded@58'], 1, 0],
    ['one that goes is replaced', { completions: 1 }, {}, ['a Running going'], 1, 0],
    ['one that goes is waited for', { completions: 1, podReplacementPolicy: 'Failed' }, {}, ['a Running going'], 0, 0],
  ]
  for (const [name, spec, status, pods, create, remove] of cases) {
    const got = plan(job(spec, status), pods)
    assert.deepEqual([got.create.length, got.remove.length], [create, remove], name)
  }
  assert.equal(plan(job({ completions: 1 }), ['a Failed@55']).againAfterMs, 5000)
})

test('numbers', () => {
  const indexed = { completionMode: 'Indexed', completions: 4, parallelism: 4 }
  const got = plan(job(indexed, { completedIndexes: '1' }), ['a Running #0', 'b Succeeded #3'])
  assert.deepEqual(
    got.create.map(({ metadata }) => metadata?.generateName),
    ['pi-2-'],
  )
  assert.equal(got.status.completedIndexes, '1,3')
  for (const text of ['', '0', '0,1', '0-2', '1,3-5,7']) assert.equal(formatIndexes(parseIndexes(text)), text)
})

test('each finished pod is counted once', () => {
  const one = job({ completions: 3, parallelism: 3 })
  const first = plan(one, ['a Succeeded', 'b Failed@1', 'c Running'])
  assert.deepEqual(first.status.uncountedTerminatedPods, { succeeded: ['uid-a'], failed: ['uid-b'] })
  assert.equal(first.status.succeeded, undefined)
  assert.deepEqual(
    first.release.map((act) => act.kind === 'patch' && act.target.name),
    ['a', 'b'],
  )

  const noted = { ...one, status: first.status }
  const before = plan(noted, ['a Succeeded', 'b Failed@1', 'c Running'])
  assert.deepEqual(before.status, first.status, 'the finalizers are still there')
  const after = plan(noted, ['a Succeeded counted', 'c Running'])
  assert.deepEqual(
    [after.status.succeeded, after.status.failed],
    [1, 1],
    'one has lost it, the other is gone altogether',
  )
  assert.deepEqual(after.status.uncountedTerminatedPods, {})
  const again = plan({ ...one, status: after.status }, ['a Succeeded counted', 'c Running'])
  assert.deepEqual([again.status.succeeded, again.status.failed], [1, 1])
})

test('how it ends', () => {
  const cases: readonly (readonly [string, object, object, readonly string[], string])[] = [
    ['enough, not all counted', { completions: 1 }, {}, ['a Succeeded'], 'SuccessCriteriaMet:CompletionsReached'],
    [
      'enough',
      { completions: 1 },
      { succeeded: 1 },
      ['a Succeeded counted'],
      'SuccessCriteriaMet:CompletionsReached Complete:CompletionsReached',
    ],
    ['a queue is empty', {}, { succeeded: 1 }, [], 'SuccessCriteriaMet:CompletionsReached Complete:CompletionsReached'],
    ['a queue: others still run', {}, { succeeded: 1 }, ['a Running'], ''],
    [
      'too many failures, one still runs',
      { completions: 3, backoffLimit: 1 },
      { failed: 2 },
      ['a Running'],
      'FailureTarget:BackoffLimitExceeded',
    ],
    [
      'too many failures',
      { completions: 3, backoffLimit: 1 },
      { failed: 2 },
      [],
      'FailureTarget:BackoffLimitExceeded Failed:BackoffLimitExceeded',
    ],
    ['as many failures as allowed', { completions: 3, backoffLimit: 2 }, { failed: 2 }, ['a Running'], ''],
    [
      'the time is up',
      { completions: 3, activeDeadlineSeconds: 60 },
      { startTime: at(0) },
      [],
      'FailureTarget:DeadlineExceeded Failed:DeadlineExceeded',
    ],
    ['suspended', { completions: 1, suspend: true }, {}, [], 'Suspended:JobSuspended'],
    [
      'resumed',
      { completions: 1 },
      { conditions: [{ type: 'Suspended', status: 'True' }] },
      [],
      'Suspended:JobResumed',
    ],
  ]
  for (const [name, spec, status, pods, want] of cases)
    assert.equal(condition(plan(job(spec, status), pods).status), want, name)
  const late = plan(job({ completions: 3, activeDeadlineSeconds: 60 }, { startTime: at(0) }), ['a Running'])
  assert.deepEqual([late.remove.length, late.create.length], [1, 0])
  assert.equal(
    plan(job({ completions: 1, activeDeadlineSeconds: 90 }, { startTime: at(0) }), ['a Running']).againAfterMs,
    30_000,
  )
  const done = plan(job({ completions: 1 }, { succeeded: 1 }), [])
  assert.equal(done.status.completionTime, at(60))
  assert.deepEqual(
    done.events.map((act) => act.kind === 'event' && act.message),
    ['Job completed'],
  )
})

test('after its end', () => {
  const ended = { conditions: [{ type: 'Complete', status: 'True', lastTransitionTime: at(0) }] }
  assert.equal(plan(job({ ttlSecondsAfterFinished: 100 }, ended), []).againAfterMs, 40_000)
  const { expire } = plan(job({ ttlSecondsAfterFinished: 60 }, ended), [])
  assert.equal(expire?.kind === 'delete' && expire.propagation, 'Foreground')
  assert.equal(plan(job({}, ended), ['a Succeeded']).release.length, 1, 'nothing keeps its pods any more')
  assert.equal(plan(job({}, ended), []).expire, undefined)
})
