// Leases in a real etcd: taken, watched, renewed, lost; through restarts and compaction.
import * as assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { systemClock, type Clock } from '#daemon/clock.ts'
import { createLogger } from '#daemon/log.ts'
import { createRegistry } from '#daemon/metrics.ts'
import { EtcdClient, type EtcdOptions } from '#etcd/client.ts'
import { parsePools } from '#flannel/allocation.ts'
import { etcdLeases, type EtcdLeasesOptions } from '#flannel/etcd-leases.ts'
import { encodeLease } from '#flannel/etcd-records.ts'
import { EtcdCluster } from '#test/etcd-cluster.ts'
import { untilTrue } from '#test/flannel-nodes.ts'
import { need } from '#test/need.ts'

const skip = need({ programs: ['etcd'] })
const prefix = '/coreos.com/network'
const sayingOf = (n: number) => ({
  backendType: 'host-gw',
  byFamily: { 4: { publicIp: `192.0.2.${n}`, data: 'null' } },
})

function start(
  servers: readonly string[],
  n: number,
  more: Partial<EtcdLeasesOptions> & Pick<EtcdOptions, 'user'> = {},
  clock: Clock = systemClock,
) {
  const controller = new AbortController()
  const client = new EtcdClient({ servers, patienceMs: 500, ...(more.user !== undefined && { user: more.user }) })
  const lines: string[] = []
  const log = createLogger({
    format: 'text',
    level: 0,
    write: (line) => lines.push(line.slice(line.indexOf(']') + 2).trim()),
  })
  const pools = parsePools('{"SubnetLen":28}', { networks: { 4: '10.244.0.0/26' } })
  assert.ok(typeof pools !== 'string')
  const options = { client, prefix, node: `node-${n}`, pools, previous: undefined, renewMarginMs: 3_600_000 }
  const source = etcdLeases(
    { ...options, onChange: () => undefined, ...more },
    { clock, log, registry: createRegistry(), signal: controller.signal },
  )
  source.claim(sayingOf(n))
  const peers = () => [...source.leases()].map(({ node, byFamily }) => `${node} ${byFamily[4]!.subnet}`).sort()
  return {
    source,
    lines,
    peers,
    own: () => source.ownSubnets(),
    [Symbol.dispose]: () => {
      controller.abort()
      client.close()
    },
  }
}
const has = (one: ReturnType<typeof start>) =>
  untilTrue(
    () => typeof one.own() !== 'string',
    () => one.lines.join('\n'),
  )

test('etcd: ranges are taken, seen by all, and run out with a clear error', { skip, timeout: 60_000 }, async () => {
  await using etcd = await EtcdCluster.start()
  using one = start(etcd.urls, 1)
  using two = start(etcd.urls, 2)
  using three = start(etcd.urls, 3)
  const all = [one, two, three]
  for (const each of all) await has(each)
  const subnets = all.map((each) => (each.own() as { 4: string })[4])
  assert.deepEqual(subnets.toSorted(), ['10.244.0.16/28', '10.244.0.32/28', '10.244.0.48/28'])
  const want = (self: number) =>
    subnets.map((subnet, i) => `${i === self ? `node-${i + 1}` : `192.0.2.${i + 1}`} ${subnet}`).sort()
  for (const [i, each] of all.entries())
    await untilTrue(
      () => JSON.stringify(each.peers()) === JSON.stringify(want(i)),
      () => each.peers().join('\n'),
    )
  using four = start(etcd.urls, 4)
  await untilTrue(
    () => four.own() === 'out of subnets: every range of the network has a lease',
    () => four.lines.join('\n'),
  )
  // One leaves, and the one that waits has its range.
  const client = new EtcdClient({ servers: etcd.urls })
  three[Symbol.dispose]()
  await client.delete(`${prefix}/subnets/${subnets[2]!.replace('/', '-')}`)
  await has(four)
  assert.deepEqual(four.own(), { 4: subnets[2] })

  // The same address gets the same range again, also where it is but reserved.
  one[Symbol.dispose]()
  using again = start(etcd.urls, 1)
  await has(again)
  assert.deepEqual(again.own(), { 4: subnets[0] })
  client.close()
})

test('etcd: restarted, and compacted while nobody looked', { skip, timeout: 60_000 }, async () => {
  await using etcd = await EtcdCluster.start()
  using one = start(etcd.urls, 1, { previous: { 4: '10.244.0.32/28' } })
  await has(one)
  assert.deepEqual(one.own(), { 4: '10.244.0.32/28' }, 'what subnet.env says, where it is free')
  const client = new EtcdClient({ servers: etcd.urls })
  const put = (subnet: string, n: number) =>
    client.put(`${prefix}/subnets/${subnet}`, new TextEncoder().encode(encodeLease(sayingOf(n))))
  const sees = (...want: readonly string[]) =>
    untilTrue(
      () => JSON.stringify(one.peers()) === JSON.stringify([...want, 'node-1 10.244.0.32/28'].sort()),
      () => `${one.peers().join('\n')}\n${one.lines.join('\n')}`,
    )
  await put('10.244.0.16-28', 7)
  await sees('192.0.2.7 10.244.0.16/28')
  await etcd.signal(0, 'SIGKILL')
  assert.deepEqual(one.own(), { 4: '10.244.0.32/28' }, 'what is known stays')
  etcd.startMember(0)
  await client.delete(`${prefix}/subnets/10.244.0.16-28`)
  await put('10.244.0.48-28', 8)
  const { revision } = await client.range({ key: 'x' })
  await client.compact(revision)
  await sees('192.0.2.8 10.244.0.48/28')

  // Somebody takes the lease away: it is taken again. Somebody else has it: that is said.
  await client.delete(`${prefix}/subnets/10.244.0.32-28`)
  await untilTrue(
    () => one.lines.includes('The lease 10.244.0.32/28 was gone: taken again'),
    () => one.lines.join('\n'),
  )
  await put('10.244.0.32-28', 9)
  await untilTrue(
    () => JSON.stringify(one.own()) === '{"4":"10.244.0.16/28"}',
    () => one.lines.join('\n'),
  )
  client.close()
})

test('etcd: renewed before its time is over; a reservation has no end', { skip, timeout: 60_000 }, async () => {
  await using etcd = await EtcdCluster.start()
  const client = new EtcdClient({ servers: etcd.urls })
  const key = `${prefix}/subnets/10.244.0.16-28`
  let laterMs = 0
  const clock: Clock = { ...systemClock, now: () => systemClock.now() + laterMs }
  using one = start(etcd.urls, 1, { previous: { 4: '10.244.0.16/28' }, lookMs: 20 }, clock)
  await has(one)
  assert.deepEqual(one.peers(), ['node-1 10.244.0.16/28'], 'known at once, however late the watch is')
  const leaseOf = async () => (await client.range({ key })).items[0]!.lease
  const first = await leaseOf()
  assert.ok((await client.leaseSeconds(first)) > 86_000)
  laterMs = 22 * 3_600_000
  await new Promise((resolve) => setTimeout(resolve, 200))
  assert.equal(await leaseOf(), first, 'two hours before its end it has time')
  laterMs = 23.5 * 3_600_000
  await untilTrue(
    () => one.lines.some((line) => line.startsWith('Lease renewed')),
    () => one.lines.join('\n'),
  )
  assert.notEqual(await leaseOf(), first)
  one[Symbol.dispose]()
  await client.put(key, new TextEncoder().encode(encodeLease(sayingOf(1))))
  using again = start(etcd.urls, 1)
  await has(again)
  assert.equal(await leaseOf(), 0)
  client.close()
})

const needsClient = need({ programs: ['etcd', 'etcdctl'] })

test(
  'etcd: with authentication on, by name and password, also when the token has ended',
  { skip: needsClient, timeout: 60_000 },
  async () => {
    await using etcd = await EtcdCluster.start(1, { words: ['--auth-token-ttl=1'] })
    const control = (words: string) => {
      const args = [`--endpoints=${etcd.urls[0]}`, ...words.split(' ')]
      const { status, stderr } = spawnSync('etcdctl', args, {
        encoding: 'utf8',
        env: { ...process.env, ETCDCTL_API: '3' },
      })
      assert.equal(status, 0, `${words}: ${stderr}`)
    }
    for (const words of [
      'user add root:top',
      'user grant-role root root',
      'role add net',
      `role grant-permission net readwrite --prefix=true ${prefix}`,
      'user add flannel:word',
      'user grant-role flannel net',
      'auth enable',
    ])
      control(words)
    const user = { name: 'flannel', password: 'word' }
    using one = start(etcd.urls, 1, { user })
    using two = start(etcd.urls, 2, { user })
    for (const each of [one, two]) await has(each)
    const sees = (n: number) =>
      untilTrue(
        () => one.peers().some((peer) => peer.startsWith(`192.0.2.${n} `)),
        () => `${one.peers().join()}\n${one.lines.join('\n')}\n${two.lines.join('\n')}`,
      )
    await sees(2)
    // Longer than tokens live, and users have changed meanwhile.
    await systemClock.sleep(2500)
    control('--user=root:top user add another:word')
    two.source.claim(sayingOf(5))
    await sees(5)

    using wrong = start(etcd.urls, 3, { user: { name: 'flannel', password: 'guess' } })
    await untilTrue(
      () => /authentication failed, invalid user ID or password/.test(wrong.lines.join()),
      () => wrong.lines.join('\n'),
    )
    using nobody = start(etcd.urls, 4)
    await untilTrue(
      () => /user name is empty/.test(nobody.lines.join()),
      () => nobody.lines.join('\n'),
    )
  },
)
