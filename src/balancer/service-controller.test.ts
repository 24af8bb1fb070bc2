import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { events, nodes, type Service, services } from '#api/core.ts'
import { exclusionLabel } from '#balancer/backends.ts'
import { run } from '#balancer/main.ts'
import { parseRange } from '#balancer/pool/address-pool.ts'
import { planUnserved } from '#balancer/unserved.ts'
import { type FakeClient, fakeClient } from '#client/fake.ts'
import { systemClock } from '#daemon/clock.ts'
import { silentLog } from '#daemon/log.ts'
import { createRegistry } from '#daemon/metrics.ts'
import { node, service } from '#test/stored-objects.ts'

const balanced = (name: string, spec: object = {}, metadata: object = {}) =>
  service(
    name,
    { type: 'LoadBalancer', ports: [{ port: 80, protocol: 'TCP', nodePort: 30080 }], ...spec },
    { ...metadata },
  )

/** Runs the balancer with a pool of two addresses until `act` has ended. */
async function balancing(client: FakeClient, act: () => Promise<void>, isDefault = true): Promise<void> {
  const stop = new AbortController()
  const context = { signal: stop.signal, log: silentLog, clock: systemClock, registry: createRegistry() }
  const pool = { text: '10.0.0.200-10.0.0.201', ranges: [parseRange('10.0.0.200-10.0.0.201')!] }
  const running = run({ client, making: { provider: 'pool', pool }, isDefault, leaderElect: false }, context)
  try {
    await act()
  } finally {
    stop.abort()
    await running
  }
}

async function until(holds: () => boolean): Promise<void> {
  for (const end = Date.now() + 30_000; !holds();) {
    if (Date.now() > end) throw new Error('not in 30 seconds')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

const find = (client: FakeClient, name: string): Service | undefined =>
  client.all(services).find(({ metadata }) => metadata?.name === name)
const ipOf = (client: FakeClient, name: string) => find(client, name)?.status?.loadBalancer?.ingress?.[0]?.ip
const told = (client: FakeClient, name: string) =>
  client
    .all(events)
    .filter(({ involvedObject }) => involvedObject.name === name)
    .map(({ type, reason, message }) => `${type} ${reason}: ${message}`)
const finalizers = (client: FakeClient, name: string) => find(client, name)?.metadata?.finalizers ?? []

test('a Service gets an address, keeps it, and gives it back', async () => {
  const client = fakeClient()
  client.seed(nodes, node('a'))
  client.seed(services, balanced('one'))
  client.seed(services, balanced('two'))
  client.seed(services, service('plain'))
  await balancing(client, async () => {
    await until(() => told(client, 'two').length === 2 && told(client, 'one').length === 2)
    assert.deepEqual([ipOf(client, 'one'), ipOf(client, 'two')].sort(), ['10.0.0.200', '10.0.0.201'])
    assert.deepEqual(find(client, 'one')?.status?.loadBalancer?.ingress?.[0]?.ipMode, 'VIP')
    assert.deepEqual(finalizers(client, 'one'), ['service.kubernetes.io/load-balancer-cleanup'])
    assert.deepEqual(told(client, 'one'), [
      'Normal EnsuringLoadBalancer: Ensuring load balancer',
      'Normal EnsuredLoadBalancer: Ensured load balancer',
    ])
    assert.deepEqual(
      client.writes.filter((write) => write.includes('default/plain')),
      [],
    )

    // A third one waits until one of them is gone.
    await client.create(services, balanced('three'))
    await until(() => told(client, 'three').some((line) => line.includes('SyncLoadBalancerFailed')))
    assert.match(told(client, 'three').at(-1)!, /Error syncing load balancer: no IPv4 address of the pool .* is free/)
    const freed = ipOf(client, 'one')
    await client.delete(services, 'one', { namespace: 'default' })
    await until(() => find(client, 'one') === undefined)
    await until(() => ipOf(client, 'three') !== undefined)
    assert.equal(ipOf(client, 'three'), freed)

    // So does a fourth one, until one is no load balancer any more.
    await client.create(services, balanced('four'))
    await until(() => told(client, 'four').some((line) => line.includes('SyncLoadBalancerFailed')))
    await client.patch(services, 'two', { spec: { type: 'ClusterIP' } }, { type: 'merge', namespace: 'default' })
    await until(() => ipOf(client, 'four') !== undefined)
  })
})

test('a Service that is no load balancer any more loses address and finalizer', async () => {
  const client = fakeClient()
  client.seed(nodes, node('a'))
  client.seed(services, balanced('one'))
  await balancing(client, async () => {
    await until(() => ipOf(client, 'one') !== undefined)
    await client.patch(services, 'one', { spec: { type: 'ClusterIP' } }, { type: 'merge', namespace: 'default' })
    await until(() => finalizers(client, 'one').length === 0)
    assert.equal(ipOf(client, 'one'), undefined)
    assert.match(told(client, 'one').at(-1)!, /DeletedLoadBalancer/)
  })
})

test('what an earlier process has given away stays', async () => {
  const client = fakeClient()
  client.seed(nodes, node('a'))
  client.seed(services, {
    ...balanced('late', {}, { finalizers: ['service.kubernetes.io/load-balancer-cleanup'] }),
    status: { loadBalancer: { ingress: [{ ip: '10.0.0.201', ipMode: 'VIP' }] } },
  })
  client.seed(services, balanced('new'))
  await balancing(client, async () => {
    await until(() => ipOf(client, 'new') !== undefined && told(client, 'late').length === 2)
    assert.equal(ipOf(client, 'late'), '10.0.0.201')
    assert.equal(ipOf(client, 'new'), '10.0.0.200')
  })
})

test('nodes that come and go are told; none at all is a warning', async () => {
  const client = fakeClient()
  client.seed(services, balanced('one'))
  await balancing(client, async () => {
    await until(() => ipOf(client, 'one') !== undefined)
    assert.ok(told(client, 'one').some((line) => line.startsWith('Warning UnAvailableLoadBalancer')))
    await client.create(nodes, node('a'))
    await until(() => told(client, 'one').some((line) => line.includes('UpdatedLoadBalancer')))
    const before = told(client, 'one').length
    await client.create(nodes, node('b', { metadata: { labels: { [exclusionLabel]: '' } } }))
    await client.create(nodes, node('c'))
    await until(() => client.all(nodes).length === 3 && told(client, 'one').length >= before)
  })
})

test('classes: only what is ours, and a word where nobody serves it', async () => {
  const client = fakeClient()
  client.seed(services, balanced('ours', { loadBalancerClass: 'fairway/pool' }))
  client.seed(services, balanced('theirs', { loadBalancerClass: 'example.com/other' }))
  client.seed(services, balanced('unnamed'))
  await balancing(
    client,
    async () => {
      await until(() => ipOf(client, 'ours') !== undefined)
      assert.equal(ipOf(client, 'theirs'), undefined)
      assert.equal(ipOf(client, 'unnamed'), undefined)
    },
    false,
  )
  const words = (name: string) => {
    const [act] = planUnserved(find(client, name) as never)
    return act?.kind === 'event' ? act.message : undefined
  }
  assert.equal(
    words('theirs'),
    'Nothing in this cluster serves loadBalancerClass "example.com/other": the address stays <pending>',
  )
  assert.equal(words('unnamed'), 'Nothing in this cluster makes load balancers: the address stays <pending>')
  assert.equal(words('ours'), undefined)
})
