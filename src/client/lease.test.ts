import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect } from '#client/client.ts'
import { electLeader, holdLease } from '#client/lease.ts'
import { systemClock } from '#daemon/clock.ts'
import { silentLog } from '#daemon/log.ts'
import { FakeKubernetes } from '#test/fake-kubernetes.ts'
import { untilSeen } from '#test/until.ts'

type Spec = { holderIdentity: string; leaseDurationSeconds: number; renewTime: string; leaseTransitions?: number }

function setup(server: FakeKubernetes, holder: string) {
  const controller = new AbortController()
  const client = connect({ server: server.url })
  const metadata = { namespace: 'kube-system', name: 'test' }
  const options = { client, ...metadata, holder, signal: controller.signal, clock: systemClock, log: silentLog }
  const spec = () => server.get('leases', metadata)?.['spec'] as Spec | undefined
  return { options, controller, client, spec }
}

test('lease: a heartbeat is renewed, also after a failure and a foreign write', async () => {
  await using server = await FakeKubernetes.start()
  const { options, controller, client, spec } = setup(server, 'node-1')
  const renewals: boolean[] = []
  const held = holdLease({ ...options, durationSeconds: 40, renewMs: 5, onRenew: (ok) => renewals.push(ok) })
  await untilSeen(() => renewals.length >= 2)
  assert.equal(spec()?.holderIdentity, 'node-1')
  assert.equal(spec()?.leaseDurationSeconds, 40)
  assert.match(spec()!.renewTime, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
  server.put('leases', { metadata: { namespace: 'kube-system', name: 'test' }, spec: { holderIdentity: 'other' } })
  await untilSeen(() => spec()?.holderIdentity === 'node-1')
  controller.abort()
  await held
  assert.ok(renewals.includes(false))
  client.close()
})

test('lease: one leader at a time, and the next one when it goes', async () => {
  await using server = await FakeKubernetes.start()
  const log: string[] = []
  const start = (name: string) => {
    const { options, controller, client } = setup(server, name)
    const lead = async (signal: AbortSignal) => {
      log.push(`${name} leads`)
      await systemClock.sleep(60_000, signal)
      log.push(`${name} ends`)
    }
    return { done: electLeader({ ...options, durationMs: 500, retryMs: 5, lead }), controller, client }
  }
  const a = start('a')
  await untilSeen(() => log.length === 1)
  const b = start('b')
  await systemClock.sleep(30)
  assert.deepEqual(log, ['a leads'])
  a.controller.abort()
  await a.done
  await untilSeen(() => log.length === 3)
  assert.deepEqual(log, ['a leads', 'a ends', 'b leads'])
  b.controller.abort()
  await b.done
  a.client.close()
  b.client.close()
})

test('lease: the lead of one that vanished is taken over when its time has run out', async () => {
  await using server = await FakeKubernetes.start()
  const spec = { holderIdentity: 'gone', leaseDurationSeconds: 0.05, renewTime: '2026-01-01T00:00:00.000000Z' }
  server.put('leases', { metadata: { namespace: 'kube-system', name: 'test' }, spec })
  const { options, controller, client, spec: now } = setup(server, 'b')
  const leading = Promise.withResolvers<void>()
  const done = electLeader({ ...options, retryMs: 5, lead: async () => leading.resolve() })
  await leading.promise
  assert.deepEqual([now()?.holderIdentity, now()?.leaseTransitions], ['b', 1])
  controller.abort()
  await done
  client.close()
})
