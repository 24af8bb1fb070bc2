// Whatever goes wrong on the way, the rules end up as they should be: refusals of the kernel, answers that get lost, kills at
// any moment, an API server that goes away and forgets.
import * as assert from 'node:assert/strict'
import { type ChildProcess, execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, test } from 'node:test'
import type { Service } from '#api/core.ts'
import type { EndpointSlice } from '#api/discovery.ts'
import { systemClock } from '#daemon/clock.ts'
import { NetlinkError } from '#kernel/netlink/socket.ts'
import { createNetns, deleteNetns } from '#kernel/netns.ts'
import { Nftables, NftablesError } from '#kernel/nftables/nftables.ts'
import type { Change, Dataplane } from '#proxy/dataplane.ts'
import { planService, type PortPlan } from '#proxy/plan/plan.ts'
import { type NodePlace, viewService, viewSlice } from '#proxy/state.ts'
import { FakeKubernetes, type FakeObject } from '#test/fake-kubernetes.ts'
import { startFairway } from '#test/fairway.ts'
import { need } from '#test/need.ts'
import { viewTable } from '#test/nftables-view.ts'
import { modes } from '#test/proxy-modes.ts'
import { chance, changePlan, randomService, randomSlice } from '#test/random-services.ts'
import { type Random, seeded } from '#test/random.ts'
import { eventually, get, startProxy } from '#test/running-proxy.ts'

const skip = need({ root: true, programs: ['nft', 'iptables', 'ip'] })
const soak = process.env['FAIRWAY_SOAK'] === '1'
const node: NodePlace = { name: 'node-1', zone: 'zone-1', ips: { 4: '10.168.0.2', 6: 'fd00:168::2' } }
const nftables = modes.find(({ name }) => name === 'nftables')!
const here = '/proc/self/ns/net'

/** A namespace in which somebody writes everything at once. */
function elsewhere(): Disposable & { readonly path: string } {
  const path = `/run/netns/fresh-${process.pid}`
  createNetns(path)
  return { path, [Symbol.dispose]: () => void deleteNetns(path) }
}

const errno = { ENOBUFS: 105, EBUSY: 16, ENOENT: 2, EINTR: 4 } as const

test('faults: the kernel refuses, or its answer gets lost', { skip }, async (t) => {
  for (let seed = 1; seed <= (soak ? 100 : 4); seed++) {
    const random = seeded(seed)
    using fresh = elsewhere()
    const commit = Nftables.prototype.commit
    let faulty = true
    let faults = 0
    const mock = t.mock.method(
      Nftables.prototype,
      'commit',
      function (this: Nftables, batch: Parameters<typeof commit>[0]) {
        if (!faulty || !chance(random, 0.4)) return commit.call(this, batch)
        faults++
        // Before it is done, or after.
        if (chance(random, 0.5)) commit.call(this, batch)
        throw new NftablesError(
          'a transaction',
          new NetlinkError('injected', { errno: random.pick(Object.values(errno)) }),
        )
      },
    )
    using plane = await nftables.open(4, here)
    const plans = new Map<string, readonly PortPlan[]>()
    let unsure = true
    for (let step = 0; step < 30; step++) {
      const changes = new Map<string, Change>()
      for (let i = random.integer(1, 3); i > 0; i--) changePlan(random, plans, changes, node)
      // As the proxy does: after a failure everything is written, until that has worked.
      for (;;) {
        const failed: boolean = await plane.apply(plans, unsure ? undefined : changes).then(
          () => false,
          () => true,
        )
        unsure = failed
        if (!failed) break
      }
    }
    faulty = false
    using whole = await nftables.open(4, fresh.path)
    await whole.apply(plans)
    assert.ok(faults > 0)
    assert.deepEqual(viewTable(4, here), viewTable(4, fresh.path), `seed ${seed}`)
    await plane.remove()
    mock.mock.restore()
  }
})

const folder = mkdtempSync(join(tmpdir(), 'fairway-faults-'))
const running = new Set<ChildProcess>()
after(() => {
  for (const child of running) child.kill('SIGKILL')
  rmSync(folder, { recursive: true })
})

function spawnProxy(fake: FakeKubernetes, mode: string): ChildProcess {
  const kubeconfig = join(folder, 'kubeconfig')
  const contexts = [{ name: 'c', context: { cluster: 'c', user: 'u' } }]
  const clusters = [{ name: 'c', cluster: { server: fake.url } }]
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'c',
    contexts,
    clusters,
    users: [{ name: 'u', user: {} }],
  }
  writeFileSync(kubeconfig, JSON.stringify(config))
  const off = [
    '--healthz-bind-address',
    '0',
    '--metrics-bind-address',
    '0',
    '--conntrack-max-per-core',
    '0',
    '--oom-score-adj',
    '0',
  ]
  const words = ['--kubeconfig', kubeconfig, '--hostname-override', 'node-1', '--cluster-cidr', '10.244.0.0/16']
  const child = startFairway([
    'proxy',
    ...words,
    '--proxy-mode',
    mode,
    '--nodeport-addresses',
    '0.0.0.0/0,::/0',
    ...off,
  ])
  child.stdout?.resume()
  child.stderr?.resume()
  running.add(child)
  return child
}

async function kill(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
  running.delete(child)
}

/** What somebody who has seen nothing but the objects as they are would write. */
async function freshPlane(mode: string, fake: FakeKubernetes, path: string): Promise<Dataplane> {
  const plane = await modes.find(({ name }) => name === mode)!.open(4, path)
  const slices = fake.list('endpointslices').flatMap((slice) => viewSlice(slice as unknown as EndpointSlice) ?? [])
  const services = fake.list('services').flatMap((service) => viewService(service as Service) ?? [])
  const plans = services.map((service) => {
    const its = slices.filter((slice) => slice.service === service.key)
    return [service.key, planService(service, its, 4, node)] as const
  })
  await plane.apply(new Map(plans))
  return plane
}

const saved = (path: string) =>
  execFileSync('nsenter', [`--net=${path}`, 'iptables-save'], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => /^-A KUBE-|^:KUBE-/.test(line))
    .map((line) => line.replace(/ \[\d+:\d+\]$/, ''))
    .sort()

const looks = {
  nftables: { mode: 'nftables', view: (path: string) => viewTable(4, path) },
  iptables: { mode: 'iptables (nft)', view: saved },
} as const

async function converges(what: keyof typeof looks, fake: FakeKubernetes, when: string): Promise<void> {
  const { mode, view } = looks[what]
  using fresh = elsewhere()
  using _plane = await freshPlane(mode, fake, fresh.path)
  const wanted = view(fresh.path)
  for (let tries = 0; tries < 300; tries++) {
    if (JSON.stringify(view(here)) === JSON.stringify(wanted)) return
    await sleep(100)
  }
  assert.deepEqual(view(here), wanted, when)
}

/** The fake gives no names of its own: each Service keeps its number, so that none takes another's address. */
function change(fake: FakeKubernetes, random: Random): void {
  const i = random.integer(1, 8)
  const service = randomService(random, i)
  const metadata = { namespace: 'demo', name: `service-${i}` }
  if (chance(random, 0.1) && fake.get('services', metadata)) fake.remove('services', metadata)
  else if (chance(random, 0.4)) fake.put('services', service as FakeObject)
  else fake.put('endpointslices', randomSlice(random, i, random.integer(0, 1)) as unknown as FakeObject)
}

async function startFake(): Promise<FakeKubernetes> {
  const fake = await FakeKubernetes.start()
  fake.put('nodes', {
    metadata: { name: 'node-1', labels: { 'topology.kubernetes.io/zone': 'zone-1' } } as never,
    status: { addresses: [{ type: 'InternalIP', address: '10.168.0.2' }] },
  })
  return fake
}

for (const mode of ['nftables', 'iptables'] as const)
  test(`faults: killed at any moment, ${mode}`, { skip }, async () => {
    const random = seeded(mode.length)
    await using fake = await startFake()
    for (let round = 0; round < (soak ? 60 : 3); round++) {
      const child = spawnProxy(fake, mode)
      const untilMs = performance.now() + random.integer(300, 1500)
      while (performance.now() < untilMs) {
        change(fake, random)
        await sleep(5)
      }
      await kill(child)
    }
    const last = spawnProxy(fake, mode)
    await converges(mode, fake, `after kills in ${mode} mode`)
    await kill(last)
  })

test('faults: the API server goes away, forgets, and lies about what happened', { skip }, async () => {
  const random = seeded(5)
  await using fake = await startFake()
  const child = spawnProxy(fake, 'nftables')
  await converges('nftables', fake, 'at first')
  const { port } = fake
  const attacks: Readonly<Record<string, () => unknown>> = {
    'connections break': () => fake.cut(),
    'watches end': () => fake.endWatches(),
    'what happened is forgotten': () => {
      fake.cut()
      for (let i = 0; i < 10; i++) change(fake, random)
      fake.compact()
    },
    'nonsense is sent': () => fake.send('{"type":"MODIFIED","object":{"kind":"x"'),
    'it is away': async () => {
      await fake.stop()
      for (let i = 0; i < 20; i++) change(fake, random)
      await fake.listen(port)
    },
  }
  for (const [name, attack] of Object.entries(attacks)) {
    for (let i = 0; i < 10; i++) change(fake, random)
    await attack()
    for (let i = 0; i < 10; i++) change(fake, random)
    await converges('nftables', fake, name)
  }
  await kill(child)
})

test('faults: the clock jumps', { skip }, async () => {
  const random = seeded(6)
  await using fake = await startFake()
  let offsetMs = 0
  const clock = { ...systemClock, now: () => systemClock.now() + offsetMs }
  const nodePortAddresses = ['0.0.0.0/0', '::/0']
  const options = { mode: 'nftables', metrics: undefined, nodePortAddresses, allowNodeCapture: true } as const
  await using _ = await startProxy(options, fake, clock)
  const hourMs = 3_600_000
  for (const jumpMs of [0, hourMs, -5 * hourMs, 100 * hourMs]) {
    for (let i = 0; i < 10; i++) change(fake, random)
    offsetMs += jumpMs
    for (let i = 0; i < 10; i++) change(fake, random)
    await converges('nftables', fake, `after a jump of ${jumpMs} ms`)
    await eventually('healthy', async () => (await get('http://127.0.0.1:10256/healthz')).status === 200)
  }
})
