import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PodSpec } from '#api/core.ts'
import { planActions } from '#node/pod/actions.ts'
import type { ProbeVerdict } from '#node/pod/fault.ts'
import { viewPod } from '#node/pod/view.ts'
import type { ContainerStatus, Sandbox } from '#node/runtime.ts'
import { makeContainer as c, makePod, makeSandbox, uid } from '#node/testing/fixtures.ts'

type Input = {
  readonly spec?: Partial<PodSpec>
  readonly deleted?: boolean
  readonly sandboxes?: readonly Sandbox[]
  readonly containers?: readonly ContainerStatus[]
  readonly verdicts?: Record<string, 'success' | 'failure'>
}

/** The plan in a few words: what is killed and started, in this order. */
function plan({ spec, deleted, sandboxes = [makeSandbox()], containers = [], verdicts = {} }: Input): string {
  const pod = makePod(spec, deleted ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {})
  const verdict: ProbeVerdict = (id, kind) => verdicts[`${id} ${kind}`]
  const actions = planActions(pod, viewPod(uid, sandboxes, containers), verdict)
  return [
    ...(actions.killPod ? ['kill pod'] : []),
    ...(actions.createSandbox ? [`sandbox ${actions.attempt}`] : []),
    ...actions.kill.map(({ id, reason }) => `kill ${id} (${reason})`),
    ...actions.startInit.map(({ name }) => `init ${name}`),
    ...actions.start.map(({ name }) => `start ${name}`),
    ...actions.startEphemeral.map(({ name }) => `ephemeral ${name}`),
  ].join(', ')
}

const failed = { exitCode: 1, reason: 'Error' }
const twoInits: Partial<PodSpec> = {
  initContainers: [
    { name: 'i1', image: 'img' },
    { name: 'i2', image: 'img' },
  ],
}
const debugged: Partial<PodSpec> = { ephemeralContainers: [{ name: 'debug', image: 'img' }] }
const sidecar: Partial<PodSpec> = {
  initContainers: [{ name: 'side', image: 'img', restartPolicy: 'Always', startupProbe: { exec: {} } }],
}

const rows: readonly (readonly [string, Input, string])[] = [
  ['a new pod', { sandboxes: [] }, 'kill pod, sandbox 0, start main'],
  ['a sandbox is there', {}, 'start main'],
  ['running', { containers: [c('main', 'running')] }, ''],
  [
    'the sandbox is gone',
    { sandboxes: [makeSandbox({ state: 'notReady' })], containers: [c('main', 'exited')] },
    'kill pod, sandbox 1, start main',
  ],
  ['the sandbox has no address', { sandboxes: [makeSandbox({ ips: [] })] }, 'kill pod, sandbox 1, start main'],
  [
    'two ready sandboxes',
    { sandboxes: [makeSandbox(), makeSandbox({ id: 's2', createdAt: 2000 })] },
    'kill pod, sandbox 1, start main',
  ],
  ['ended, Always', { containers: [c('main', 'exited')] }, 'start main'],
  ['ended well, OnFailure', { spec: { restartPolicy: 'OnFailure' }, containers: [c('main', 'exited')] }, 'kill pod'],
  [
    'failed, OnFailure',
    { spec: { restartPolicy: 'OnFailure' }, containers: [c('main', 'exited', failed)] },
    'start main',
  ],
  ['failed, Never', { spec: { restartPolicy: 'Never' }, containers: [c('main', 'exited', failed)] }, 'kill pod'],
  [
    'run once, and the sandbox is gone: not again',
    {
      spec: { restartPolicy: 'Never' },
      sandboxes: [makeSandbox({ state: 'notReady' })],
      containers: [c('main', 'exited')],
    },
    'kill pod',
  ],
  [
    'not alive',
    { containers: [c('main', 'running')], verdicts: { 'main-0 liveness': 'failure' } },
    'kill main-0 (livenessProbe), start main',
  ],
  [
    'not alive, Never',
    {
      spec: { restartPolicy: 'Never' },
      containers: [c('main', 'running')],
      verdicts: { 'main-0 liveness': 'failure' },
    },
    'kill pod',
  ],
  [
    'never started up',
    { containers: [c('main', 'running')], verdicts: { 'main-0 startup': 'failure' } },
    'kill main-0 (startupProbe), start main',
  ],
  ['not ready is no reason', { containers: [c('main', 'running')], verdicts: { 'main-0 readiness': 'failure' } }, ''],
  ['another image', { containers: [c('main', 'running', { image: 'old' })] }, 'kill main-0 (other), start main'],
  ['first init container', { spec: twoInits, sandboxes: [] }, 'kill pod, sandbox 0, init i1'],
  ['sandbox, none started', { spec: twoInits }, 'init i1'],
  ['init runs', { spec: twoInits, containers: [c('i1', 'running')] }, ''],
  ['init done: the next', { spec: twoInits, containers: [c('i1', 'exited')] }, 'init i2'],
  ['init failed: again', { spec: twoInits, containers: [c('i1', 'exited', failed)] }, 'init i1'],
  [
    'init failed, Never',
    { spec: { ...twoInits, restartPolicy: 'Never' }, containers: [c('i1', 'exited', failed)] },
    'kill pod',
  ],
  ['all init done', { spec: twoInits, containers: [c('i1', 'exited'), c('i2', 'exited')] }, 'start main'],
  ['the first one forgotten', { spec: twoInits, containers: [c('i2', 'exited')] }, 'start main'],
  ['initialized: init containers forgotten', { spec: twoInits, containers: [c('main', 'running')] }, ''],
  ['sidecar starting up', { spec: sidecar, containers: [c('side', 'running')] }, ''],
  [
    'sidecar is up',
    { spec: sidecar, containers: [c('side', 'running')], verdicts: { 'side-0 startup': 'success' } },
    'start main',
  ],
  ['sidecar died', { spec: sidecar, containers: [c('side', 'exited'), c('main', 'running')] }, 'init side'],
  [
    'sidecar alone keeps nothing',
    {
      spec: { ...sidecar, restartPolicy: 'Never' },
      containers: [c('side', 'running'), c('main', 'exited')],
      verdicts: { 'side-0 startup': 'success' },
    },
    'kill pod',
  ],
  ['one more to look at it', { spec: debugged, containers: [c('main', 'running')] }, 'ephemeral debug'],
  ['also before it is initialized', { spec: { ...twoInits, ...debugged } }, 'init i1, ephemeral debug'],
  ['it runs', { spec: debugged, containers: [c('main', 'running'), c('debug', 'running')] }, ''],
  ['it is never started again', { spec: debugged, containers: [c('main', 'running'), c('debug', 'exited')] }, ''],
  [
    'alone it keeps nothing',
    {
      spec: { ...debugged, restartPolicy: 'Never' },
      containers: [c('main', 'exited'), c('debug', 'running')],
    },
    'kill pod',
  ],
  ['on its way out nothing starts', { deleted: true }, 'kill pod'],
]
for (const [name, input, want] of rows) test(`pod actions: ${name}`, () => assert.equal(plan(input), want))
