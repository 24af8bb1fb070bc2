import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Pod, PodSpec, PodStatus } from '#api/core.ts'
import type { ProbeVerdict } from '#node/pod/fault.ts'
import { planStatus } from '#node/pod/status.ts'
import { viewPod } from '#node/pod/view.ts'
import type { ContainerStatus, Sandbox } from '#node/runtime.ts'
import { makeContainer as c, makePod, makeSandbox, uid } from '#node/testing/fixtures.ts'

type Input = {
  readonly spec?: Partial<PodSpec>
  readonly metadata?: Pod['metadata']
  readonly sandboxes?: readonly Sandbox[]
  readonly containers?: readonly ContainerStatus[]
  readonly verdicts?: Record<string, 'success' | 'failure'>
  readonly waiting?: Record<string, string>
  readonly previous?: PodStatus
  readonly isTerminal?: boolean
  readonly nowMs?: number
}

function status(input: Input): PodStatus {
  const { spec, metadata, sandboxes = [makeSandbox()], containers = [], verdicts = {}, waiting = {}, previous } = input
  const verdict: ProbeVerdict = (id, kind) => verdicts[`${id} ${kind}`]
  return planStatus({
    pod: makePod(spec, metadata, previous),
    view: viewPod(uid, sandboxes, containers),
    runtimeName: 'crun',
    verdict,
    waiting: (name) => (waiting[name] ? { reason: waiting[name], message: 'why' } : undefined),
    previous,
    hostIps: ['10.168.0.2'],
    nowMs: input.nowMs ?? 60_000,
    isTerminal: input.isTerminal ?? false,
  })
}

/** As `kubectl get pod` would say it: phase, ready or not, the state of each container and its restarts. */
function summary(input: Input): string {
  const { phase, conditions = [], initContainerStatuses = [], containerStatuses = [] } = status(input)
  const ready = conditions.find(({ type }) => type === 'Ready')
  const shown = [...initContainerStatuses, ...containerStatuses].map(({ name, state, lastState, restartCount }) => {
    const now = state?.running ? 'running' : (state?.waiting?.reason ?? state?.terminated?.reason ?? '?')
    const last = lastState?.terminated ? ` after ${lastState.terminated.exitCode}` : ''
    return `${name}=${now}${restartCount > 0 ? ` x${restartCount}` : ''}${last}`
  })
  return [phase, ready?.status === 'True' ? 'ready' : (ready?.reason ?? '-'), ...shown].join(' ')
}

const withProbe: Partial<PodSpec> = { containers: [{ name: 'main', image: 'img', readinessProbe: { exec: {} } }] }
const withInit: Partial<PodSpec> = { initContainers: [{ name: 'prep', image: 'img' }] }
const failed = { exitCode: 3, reason: 'Error' }

const rows: readonly (readonly [string, Input, string])[] = [
  ['nothing yet', { sandboxes: [] }, 'Pending ContainersNotReady main=ContainerCreating'],
  [
    'nothing yet, with init',
    { spec: withInit },
    'Pending ContainersNotReady prep=PodInitializing main=PodInitializing',
  ],
  [
    'init runs',
    { spec: withInit, containers: [c('prep', 'running')] },
    'Pending ContainersNotReady prep=running main=PodInitializing',
  ],
  ['running', { containers: [c('main', 'running')] }, 'Running ready main=running'],
  [
    'init done, running',
    { spec: withInit, containers: [c('prep', 'exited'), c('main', 'running')] },
    'Running ready prep=Completed main=running',
  ],
  [
    'not probed yet',
    { spec: withProbe, containers: [c('main', 'running')] },
    'Running ContainersNotReady main=running',
  ],
  [
    'probe succeeded',
    { spec: withProbe, containers: [c('main', 'running')], verdicts: { 'main-0 readiness': 'success' } },
    'Running ready main=running',
  ],
  [
    'the agent has just restarted: ready stays ready',
    {
      spec: withProbe,
      containers: [c('main', 'running')],
      previous: {
        containerStatuses: [
          {
            name: 'main',
            image: 'img',
            imageID: '',
            ready: true,
            started: true,
            restartCount: 0,
            containerID: 'crun://main-0',
          },
        ],
      },
    },
    'Running ready main=running',
  ],
  [
    'a new instance is not ready by its predecessor',
    {
      spec: withProbe,
      containers: [c('main', 'running', { attempt: 1 }), c('main', 'exited', failed)],
      previous: {
        containerStatuses: [
          {
            name: 'main',
            image: 'img',
            imageID: '',
            ready: true,
            started: true,
            restartCount: 0,
            containerID: 'crun://main-0',
          },
        ],
      },
    },
    'Running ContainersNotReady main=running x1 after 3',
  ],
  ['crashed', { containers: [c('main', 'exited', failed)] }, 'Running ContainersNotReady main=Error'],
  [
    'crash loop',
    { containers: [c('main', 'exited', { ...failed, attempt: 2 })], waiting: { main: 'CrashLoopBackOff' } },
    'Running ContainersNotReady main=CrashLoopBackOff x2 after 3',
  ],
  ['no image', { waiting: { main: 'ErrImagePull' } }, 'Pending ContainersNotReady main=ErrImagePull'],
  [
    'ended well, Never',
    { spec: { restartPolicy: 'Never' }, containers: [c('main', 'exited')] },
    'Succeeded PodCompleted main=Completed',
  ],
  [
    'failed, Never',
    { spec: { restartPolicy: 'Never' }, containers: [c('main', 'exited', failed)] },
    'Failed PodFailed main=Error',
  ],
  [
    'init failed, Never',
    { spec: { ...withInit, restartPolicy: 'Never' }, containers: [c('prep', 'exited', failed)] },
    'Failed PodFailed prep=Error main=PodInitializing',
  ],
  [
    'stopped for good',
    {
      metadata: { deletionTimestamp: 'x' },
      containers: [c('main', 'exited', { exitCode: 137, reason: 'Error' })],
      isTerminal: true,
    },
    'Failed PodFailed main=Error',
  ],
  [
    'deleted before it began',
    { metadata: { deletionTimestamp: 'x' }, isTerminal: true },
    'Failed PodFailed main=ContainerStatusUnknown',
  ],
  [
    'a phase that is final stays',
    { containers: [c('main', 'running')], previous: { phase: 'Failed' } },
    'Failed PodFailed main=running',
  ],
]
for (const [name, input, want] of rows) test(`pod status: ${name}`, () => assert.equal(summary(input), want))

test('pod status: addresses, times, ids', () => {
  const { podIP, podIPs, hostIP, startTime, containerStatuses } = status({ containers: [c('main', 'running')] })
  assert.deepEqual([podIP, podIPs, hostIP], ['10.244.0.5', [{ ip: '10.244.0.5' }], '10.168.0.2'])
  assert.equal(startTime, '1970-01-01T00:01:00Z')
  assert.deepEqual(containerStatuses?.[0]?.state, { running: { startedAt: '1970-01-01T00:00:02Z' } })
  assert.equal(containerStatuses?.[0]?.containerID, 'crun://main-0')
  const onHost = status({ spec: { hostNetwork: true }, sandboxes: [makeSandbox({ hostNetwork: true, ips: [] })] })
  assert.equal(onHost.podIP, '10.168.0.2')
})

test('pod status: a condition keeps its time while it stays the same', () => {
  const first = status({ containers: [c('main', 'running')] })
  const later = status({ containers: [c('main', 'exited', failed)], previous: first, nowMs: 90_000 })
  const times = (of: PodStatus) =>
    Object.fromEntries((of.conditions ?? []).map((one) => [one.type, one.lastTransitionTime]))
  assert.equal(times(later)['Ready'], '1970-01-01T00:01:30Z')
  assert.equal(times(later)['Initialized'], '1970-01-01T00:01:00Z')
  assert.deepEqual(Object.keys(times(later)), [
    'PodReadyToStartContainers',
    'Initialized',
    'Ready',
    'ContainersReady',
    'PodScheduled',
  ])
})

test('pod status: readiness gates', () => {
  const spec = { readinessGates: [{ conditionType: 'x/ready' }] }
  const ready = (of: PodStatus) => of.conditions?.find(({ type }) => type === 'Ready')
  const without = ready(status({ spec, containers: [c('main', 'running')] }))
  assert.equal(without?.message, 'corresponding condition of pod readiness gate "x/ready" does not exist.')
  const previous = { conditions: [{ type: 'x/ready', status: 'True' }] }
  assert.equal(ready(status({ spec, containers: [c('main', 'running')], previous }))?.status, 'True')
})

test('ephemeral containers have statuses of their own, and change nothing else', () => {
  const spec: Partial<PodSpec> = { ephemeralContainers: [{ name: 'debug', image: 'img' }] }
  const of = (...debug: readonly ContainerStatus[]) =>
    status({ spec, containers: [c('main', 'running'), ...debug], waiting: { debug: 'ErrImagePull' } })
  const [pending] = of().ephemeralContainerStatuses ?? []
  assert.deepEqual([pending?.state, pending?.ready], [{ waiting: { reason: 'ErrImagePull', message: 'why' } }, false])
  const running = of(c('debug', 'running'))
  assert.ok(running.ephemeralContainerStatuses?.[0]?.state?.running)
  const ended = of(c('debug', 'exited', failed))
  assert.equal(ended.ephemeralContainerStatuses?.[0]?.state?.terminated?.exitCode, 3)
  for (const { phase, conditions, containerStatuses } of [running, ended]) {
    assert.equal(phase, 'Running')
    assert.equal(conditions?.find(({ type }) => type === 'Ready')?.status, 'True')
    assert.equal(containerStatuses?.length, 1)
  }
})
