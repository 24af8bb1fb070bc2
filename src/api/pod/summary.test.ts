// What `kubectl get pods` shows; facts of upstream's pkg/printers/internalversion/printers_test.go TestPrintPod.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ContainerStatus, Pod } from '#api/core.ts'
import { summarizePod } from '#api/pod/summary.ts'

type Status = Partial<ContainerStatus>
type Row = {
  name: string
  init?: Status[]
  containers?: Status[]
  sidecars?: boolean
  status?: Pod['status']
  deleted?: boolean
  shows: [ready: string, status: string, restarts: number]
}

const running: Status = { ready: true, state: { running: {} } }
const starting: Status = { ready: false, state: { running: {} } }
const waiting = (reason?: string): Status => ({ state: { waiting: { ...(reason !== undefined && { reason }) } } })
const ended = (exitCode: number, more: object = {}): Status => ({ state: { terminated: { exitCode, ...more } } })

const rows: Row[] = [
  { name: 'nothing known', containers: [{}], status: { phase: 'Pending' }, shows: ['0/1', 'Pending', 0] },
  { name: 'all run', containers: [running, running], shows: ['2/2', 'Running', 0] },
  {
    name: 'restarts are summed',
    containers: [
      { ...running, restartCount: 3 },
      { ...running, restartCount: 2 },
    ],
    shows: ['2/2', 'Running', 5],
  },
  { name: 'ready alone is not running', containers: [{ ready: true }], shows: ['0/1', 'Running', 0] },
  {
    name: 'a container that waits tells why',
    containers: [running, waiting('CrashLoopBackOff')],
    shows: ['1/2', 'CrashLoopBackOff', 0],
  },
  {
    name: 'the first container speaks',
    containers: [waiting('ImagePullBackOff'), ended(1, { reason: 'Error' })],
    shows: ['0/2', 'ImagePullBackOff', 0],
  },
  {
    name: 'a reason of the Pod',
    containers: [{}],
    status: { phase: 'Failed', reason: 'Evicted' },
    shows: ['0/1', 'Evicted', 0],
  },
  {
    name: 'done',
    containers: [ended(0, { reason: 'Completed' })],
    status: { phase: 'Succeeded' },
    shows: ['0/1', 'Completed', 0],
  },
  {
    name: 'failed',
    containers: [ended(1, { reason: 'Error' })],
    status: { phase: 'Failed' },
    shows: ['0/1', 'Error', 0],
  },
  { name: 'failed without a reason', containers: [ended(3)], shows: ['0/1', 'ExitCode:3', 0] },
  { name: 'killed by a signal', containers: [ended(137, { signal: 9 })], shows: ['0/1', 'Signal:9', 0] },
  {
    name: 'one done, one runs, not ready',
    containers: [ended(0, { reason: 'Completed' }), running],
    shows: ['1/2', 'NotReady', 0],
  },
  {
    name: 'one done, one runs, ready',
    containers: [ended(0, { reason: 'Completed' }), running],
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
    shows: ['1/2', 'Running', 0],
  },
  {
    name: 'one done, one failed',
    containers: [ended(0, { reason: 'Completed' }), ended(1, { reason: 'Error' })],
    shows: ['0/2', 'Error', 0],
  },
  {
    name: 'the first of two init containers runs',
    init: [starting, waiting()],
    containers: [waiting()],
    shows: ['0/1', 'Init:0/2', 0],
  },
  {
    name: 'the second of two init containers restarts',
    init: [
      { ...ended(0), restartCount: 2 },
      { ...starting, restartCount: 3 },
    ],
    containers: [waiting()],
    shows: ['0/1', 'Init:1/2', 5],
  },
  {
    name: 'an init container fails',
    init: [ended(1, { reason: 'Error' })],
    containers: [waiting()],
    shows: ['0/1', 'Init:Error', 0],
  },
  {
    name: 'an init container fails without a reason',
    init: [ended(2)],
    containers: [waiting()],
    shows: ['0/1', 'Init:ExitCode:2', 0],
  },
  {
    name: 'an init container waits',
    init: [waiting('CrashLoopBackOff')],
    containers: [waiting()],
    shows: ['0/1', 'Init:CrashLoopBackOff', 0],
  },
  {
    name: 'an init container is about to run',
    init: [waiting('PodInitializing')],
    containers: [waiting()],
    shows: ['0/1', 'Init:0/1', 0],
  },
  {
    name: 'restarts of init containers no longer count when they are done',
    init: [{ ...ended(0), restartCount: 2 }],
    containers: [{ ...starting, restartCount: 4 }],
    shows: ['0/1', 'Running', 4],
  },
  {
    name: 'a sidecar counts as a container',
    init: [{ ...running, started: true, restartCount: 1 }],
    sidecars: true,
    containers: [{ ...running, restartCount: 2 }],
    shows: ['2/2', 'Running', 3],
  },
  {
    name: 'a sidecar that has not started',
    init: [{ ...starting, started: false }],
    sidecars: true,
    containers: [waiting()],
    shows: ['0/2', 'Init:0/1', 0],
  },
  { name: 'it ends', containers: [running], deleted: true, shows: ['1/1', 'Terminating', 0] },
  {
    name: 'it ends and is done',
    containers: [ended(0, { reason: 'Completed' })],
    status: { phase: 'Succeeded' },
    deleted: true,
    shows: ['0/1', 'Completed', 0],
  },
  {
    name: 'its node is lost',
    containers: [running],
    status: { phase: 'Running', reason: 'NodeLost' },
    deleted: true,
    shows: ['1/1', 'Unknown', 0],
  },
  {
    name: 'it waits for its gates',
    status: { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }] },
    containers: [{}],
    shows: ['0/1', 'SchedulingGated', 0],
  },
]

for (const { name, init = [], containers = [], sidecars, status, deleted, shows } of rows)
  test(`a Pod in one line: ${name}`, () => {
    const named = (list: Status[], prefix: string) =>
      list.map((one, at) => ({ name: `${prefix}${at}`, ...one })) as ContainerStatus[]
    const pod = {
      metadata: { name: 'p', ...(deleted && { deletionTimestamp: '2026-11-21T00:00:00Z' }) },
      spec: {
        containers: containers.map((_, at) => ({ name: `c${at}` })),
        initContainers: init.map((_, at) => ({ name: `i${at}`, ...(sidecars && { restartPolicy: 'Always' }) })),
      },
      status: {
        phase: 'Running',
        ...status,
        initContainerStatuses: named(init, 'i'),
        containerStatuses: named(containers, 'c'),
      },
    } as Pod
    const summary = summarizePod(pod)
    const ready = `${summary.readyContainers}/${summary.totalContainers}`
    assert.deepEqual([ready, summary.status, summary.restarts], shows)
  })

test('a Pod in one line: the last restart is the latest of all containers', () => {
  const at = (finishedAt: string): ContainerStatus =>
    ({ name: 'c', lastState: { terminated: { exitCode: 1, finishedAt } } }) as ContainerStatus
  const pod = { status: { containerStatuses: [at('2026-11-21T00:00:05Z'), at('2026-11-21T00:00:01Z')] } } as Pod
  assert.equal(summarizePod(pod).lastRestart, '2026-11-21T00:00:05Z')
})
