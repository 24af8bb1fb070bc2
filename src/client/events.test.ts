import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { pods } from '#api/core.ts'
import { connect } from '#client/client.ts'
import { createRecorder, referenceTo } from '#client/events.ts'
import { fakeClock } from '#daemon/clock.ts'
import { FakeKubernetes } from '#test/fake-kubernetes.ts'

const start = Date.UTC(2026, 0, 1)
const pod = { metadata: { name: 'web', namespace: 'ns', uid: 'u1', resourceVersion: '7' } }

test('events: the first is written whole, the same again is counted', async () => {
  await using server = await FakeKubernetes.start()
  const client = connect({ server: server.url })
  const clock = fakeClock(start)
  const recorder = createRecorder(client, { component: 'kubelet', host: 'node-1', clock })
  const about = referenceTo(pods, pod)
  recorder.event(about, 'Warning', 'Failed', 'no image')
  await recorder.flush()
  await clock.advance(60_000)
  recorder.event(about, 'Warning', 'Failed', 'no image')
  recorder.event({ apiVersion: 'v1', kind: 'Pod', ...pod }, 'Normal', 'Pulled', 'fine')
  await recorder.flush()
  const events = server.list('events')
  assert.deepEqual(
    events.map((event) => [event['reason'], event['count']]),
    [
      ['Failed', 2],
      ['Pulled', 1],
    ],
  )
  const { metadata, ...first } = events[0]!
  assert.match(metadata.name, /^web\.[0-9a-f]{16}$/)
  assert.deepEqual(first, {
    apiVersion: 'v1',
    kind: 'Event',
    involvedObject: { apiVersion: 'v1', kind: 'Pod', name: 'web', namespace: 'ns', uid: 'u1', resourceVersion: '7' },
    type: 'Warning',
    reason: 'Failed',
    message: 'no image',
    source: { component: 'kubelet', host: 'node-1' },
    firstTimestamp: '2026-01-01T00:00:00Z',
    lastTimestamp: '2026-01-01T00:01:00Z',
    count: 2,
    reportingComponent: 'kubelet',
    reportingInstance: 'node-1',
  })
  client.close()
})

test('events: one that is gone is written anew, and too many are dropped', async () => {
  await using server = await FakeKubernetes.start()
  const client = connect({ server: server.url })
  const clock = fakeClock(start)
  const recorder = createRecorder(client, { component: 'test', clock })
  const about = referenceTo(pods, pod)
  recorder.event(about, 'Normal', 'A', 'a')
  await recorder.flush()
  server.remove('events', server.list('events')[0]!.metadata)
  recorder.event(about, 'Normal', 'A', 'a')
  await recorder.flush()
  assert.deepEqual(
    server.list('events').map((event) => event['count']),
    [2],
  )
  for (let i = 0; i < 50; i++) recorder.event(about, 'Normal', 'B', `b${i}`)
  await recorder.flush()
  assert.equal(server.list('events').length, 24)
  assert.throws(() => recorder.event(pod, 'Normal', 'C', 'c'), /needs its kind/)
  client.close()
})
