// In the kernel: differences add up to the whole, others' changes are noticed, and `nft` can list all of it.
import * as assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { createNetns, deleteNetns } from '#kernel/netns.ts'
import { readRuleset } from '#kernel/nftables/read-ruleset.ts'
import { tableText } from '#kernel/nftables/table-text.ts'
import type { Change } from '#proxy/dataplane.ts'
import { NftablesDataplane } from '#proxy/nftables/nftables-dataplane.ts'
import type { NftablesOptions } from '#proxy/nftables/options.ts'
import { showPorts } from '#proxy/nftables/show.ts'
import { planService, type PortPlan } from '#proxy/plan/plan.ts'
import { type Family, type NodePlace, viewService, viewSlice } from '#proxy/state.ts'
import { assertGolden } from '#test/golden.ts'
import { need } from '#test/need.ts'
import { viewTable } from '#test/nftables-view.ts'
import { chance, randomService, randomSlice, some } from '#test/random-services.ts'
import { seeded } from '#test/random.ts'
import { readObjects, visibleToProxy } from '#test/yaml-objects.ts'

const skip = need({ root: true, programs: ['nft', 'ip'] })
const node: NodePlace = { name: 'node-1', zone: 'zone-1', ips: { 4: '10.168.0.2', 6: 'fd00:168::2' } }
const optionsOf = (family: Family): NftablesOptions => ({
  family,
  masqueradeMark: 0x4000,
  masqueradeAll: false,
  local: { kind: 'cidr', cidr: family === 4 ? '10.244.0.0/16' : 'fd00:244::/32' },
  nodePortIps: 'all',
  serviceCidrs: family === 4 ? ['10.96.0.0/16', '10.97.0.0/16'] : ['fd00:96::/108'],
})

type Netns = Disposable & { readonly path: string; nft(...words: string[]): string }
let made = 0
function netns(): Netns {
  const name = `nft-${process.pid}-${made++}`
  const path = `/run/netns/${name}`
  createNetns(path)
  return {
    path,
    nft: (...words) =>
      execFileSync('ip', ['netns', 'exec', name, 'nft', ...words], { encoding: 'utf8', stdio: 'pipe' }),
    [Symbol.dispose]: () => void deleteNetns(path),
  }
}
const open = (family: Family, path: string) =>
  new NftablesDataplane(optionsOf(family), { failed: () => undefined }, path)

const soak = process.env['FAIRWAY_SOAK'] === '1'
for (let seed = 1; seed <= (soak ? 200 : 10); seed++)
  test(`nftables: differences add up to the whole, seed ${seed}`, { skip }, async () => {
    const random = seeded(seed)
    const family = random.pick([4, 6] as const)
    using here = netns()
    using there = netns()
    const plane = open(family, here.path)
    const services = new Map<number, ReturnType<typeof viewService>>()
    const slices = new Map<string, ReturnType<typeof viewSlice>>()
    const plans = new Map<string, readonly PortPlan[]>()
    await plane.apply(plans)
    for (let step = 0; step < (soak ? 100 : 20); step++) {
      const changes = new Map<string, Change>()
      for (const i of some(random, [1, 2, 3, 4, 5, 6, 7, 8], random.pick([0.1, 0.3, 0.9]))) {
        if (chance(random, 0.5))
          services.set(i, chance(random, 0.8) ? viewService(randomService(random, i)) : undefined)
        const which = random.integer(0, 1)
        slices.set(`${i}-${which}`, chance(random, 0.8) ? viewSlice(randomSlice(random, i, which)) : undefined)
        const service = services.get(i)
        const its = [0, 1].flatMap((n) => slices.get(`${i}-${n}`) ?? [])
        const after = service === undefined ? [] : planService(service, its, family, node)
        changes.set(`demo/service-${i}`, { before: plans.get(`demo/service-${i}`) ?? [], after })
        plans.set(`demo/service-${i}`, after)
      }
      await plane.apply(plans, changes)
      const fresh = open(family, there.path)
      await fresh.apply(plans)
      assert.deepEqual(viewTable(family, here.path), viewTable(family, there.path), `step ${step}`)
      assert.equal(await plane.check(plans), undefined)
    }
  })

function plansOf(objects: string, family: Family): Map<string, readonly PortPlan[]> {
  const { services, slices } = visibleToProxy(readObjects(`src/proxy/testdata/${objects}`))
  const views = slices.flatMap((slice) => viewSlice(slice) ?? [])
  return new Map(
    services
      .flatMap((service) => viewService(service) ?? [])
      .map((service) => [
        service.key,
        planService(
          service,
          views.filter((slice) => slice.service === service.key),
          family,
          node,
        ),
      ]),
  )
}

test('nftables: nft lists every shape, and elements name their Services', { skip }, async () => {
  using here = netns()
  for (const family of [4, 6] as const) await open(family, here.path).apply(plansOf('semantics.yaml', family))
  const text = here.nft('list', 'ruleset')
  for (const part of [
    'table ip fairway-proxy',
    'table ip6 fairway-proxy',
    '10.96.1.19 . tcp . 80 . 0x00000000 comment "demo/affinity:web" : 10.244.0.11 . 8080',
    'comment "demo/six:web" : fd00:244::11 . 8080',
    'chain address-3-ranges-masquerade',
    'chain node-port-local-0-shortcuts',
    'comment "no such port"',
  ])
    assert.ok(text.includes(part), `${part}\n${text.slice(0, 4000)}`)
})

for (const family of [4, 6] as const)
  test(`nftables: the table is the golden picture, IPv${family}`, { skip }, async () => {
    using here = netns()
    const options: NftablesOptions = {
      ...optionsOf(family),
      nodePortIps: family === 4 ? 'all' : ['fd00:168::2'],
    }
    const plane = new NftablesDataplane(options, { failed: () => undefined }, here.path)
    await plane.apply(plansOf('semantics.yaml', family))
    const [table] = readRuleset({ netns: here.path }).tables
    assertGolden(`src/proxy/testdata/semantics.v${family}.nft`, tableText(table!))
    assertGolden(`src/proxy/testdata/semantics.v${family}.show`, showPorts(table!, []))
    const one = showPorts(table!, ['demo/external'])
    assert.match(one, /^demo\/external:web\n/)
    assert.match(one, /chain address-\d-masquerade\n/)
    assert.ok(!one.includes('demo/external-local'))
  })

test('nftables: what others do to the table is noticed', { skip }, async () => {
  using here = netns()
  const plane = open(4, here.path)
  const plans = plansOf('seeds.yaml', 4)
  const attacks: readonly (readonly [words: string, want: string])[] = [
    ['flush ruleset', 'table fairway-proxy is gone'],
    ['delete table ip fairway-proxy', 'table fairway-proxy is gone'],
    ['flush chain ip fairway-proxy dispatch', 'chain dispatch has 0 rules instead of 3'],
    ['flush map ip fairway-proxy services', 'default/kubernetes:https is gone from services'],
    ['flush map ip fairway-proxy endpoints-1-to-4', 'is gone from endpoints-1-to-4'],
    ['add table ip other', 'undefined'],
  ]
  for (const [words, want] of attacks) {
    await plane.apply(plans)
    assert.equal(await plane.check(plans), undefined)
    here.nft(...words.split(' '))
    assert.ok(String(await plane.check(plans)).includes(want), `${words}: ${await plane.check(plans)}`)
  }
  assert.equal(await plane.check(plans), undefined, 'known to be right from then on')
})

test('nftables: two Services claim one address: the first has it, then the other', { skip }, async () => {
  using here = netns()
  const plane = open(4, here.path)
  const service = (name: string, clusterIP: string) =>
    viewService({
      metadata: { namespace: 'demo', name },
      spec: { clusterIP, externalIPs: ['80.11.12.10'], ports: [{ name: 'web', port: 80 }] },
    })!
  const planned = (name: string, ip: string) => planService(service(name, ip), [], 4, node)
  const plans = new Map([
    ['demo/a', planned('a', '10.96.0.1')],
    ['demo/b', planned('b', '10.96.0.2')],
  ])
  await plane.apply(plans)
  const owner = () =>
    /80\.11\.12\.10 \. tcp \. 80 comment "demo\/(\w)/.exec(
      here.nft('list', 'map', 'ip', 'fairway-proxy', 'services'),
    )?.[1]
  assert.equal(owner(), 'a')
  const before = plans.get('demo/a')!
  plans.delete('demo/a')
  await plane.apply(plans, new Map([['demo/a', { before, after: [] }]]))
  assert.equal(owner(), 'b')
  plans.set('demo/a', before)
  await plane.apply(plans, new Map([['demo/a', { before: [], after: before }]]))
  assert.equal(owner(), 'b')
})

test('nftables: a new start leaves what clients were promised', { skip }, async () => {
  using here = netns()
  const plans = plansOf('semantics.yaml', 4)
  await open(4, here.path).apply(plans)
  here.nft(
    'add',
    'element',
    'ip',
    'fairway-proxy',
    'affinity',
    '{ 10.9.0.2 . 10.96.1.19 . tcp . 80 timeout 3h expires 2h : 80 . 0x40000001 }',
  )
  await open(4, here.path).apply(plans)
  const text = here.nft('list', 'map', 'ip', 'fairway-proxy', 'affinity')
  assert.match(text, /10\.9\.0\.2 \. 10\.96\.1\.19 \. tcp \. 80 expires (2h|1h59m)/)
})

test('nftables: a map that begins with many endpoints outgrows its size', { skip }, async () => {
  using here = netns()
  const plane = open(4, here.path)
  const ports = (i: number, endpoints: number): readonly PortPlan[] => {
    const service = viewService({
      metadata: { namespace: 'demo', name: `s${i}` },
      spec: { clusterIP: `10.96.${i >> 8}.${i & 255}`, ports: [{ name: 'web', port: 80 }] },
    })!
    const slice = viewSlice({
      metadata: { namespace: 'demo', name: `s${i}-a`, labels: { 'kubernetes.io/service-name': `s${i}` } },
      addressType: 'IPv4',
      ports: [{ name: 'web', port: 8080 }],
      endpoints: Array.from({ length: endpoints }, (_, k) => ({ addresses: [`10.${k}.${i >> 8}.${i & 255}`] })),
    })!
    return planService(service, [slice], 4, node)
  }
  const plans = new Map(Array.from({ length: 420 }, (_, i) => [`demo/s${i}`, ports(i, 10)]))
  const written = async (changed: readonly number[], endpoints: number) => {
    const changes = new Map(
      changed.map((i) => [`demo/s${i}`, { before: plans.get(`demo/s${i}`) ?? [], after: ports(i, endpoints) }]),
    )
    for (const [key, { after }] of changes) plans.set(key, after)
    await plane.apply(plans, changes)
    assert.equal(await plane.check(plans), undefined)
    const map = here.nft('list', 'map', 'ip', 'fairway-proxy', 'endpoints-9-to-12')
    return { size: Number(/size (\d+)/.exec(map)?.[1]), elements: map.match(/comment "demo/g)?.length }
  }
  await plane.apply(plans)
  const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, k) => from + k)
  assert.deepEqual(await written(numbers(420, 840), 10), { size: 8400, elements: 8400 })
  assert.deepEqual(await written([840], 10), { size: 2 * 8410, elements: 8410 })
  assert.deepEqual(await written(numbers(0, 400), 12), { size: 2 * 8410, elements: 8410 + 800 })
})
