// The tracer against the kernel: the same rules, the same packets. What really happened must be the verdict of the trace or
// one of its branches. Rules are our proxy's and kube-proxy's, and random ones that use all that the tracer reads.
import * as assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { collectNamespace } from '#doctor/snapshot/collect-namespace.ts'
import { openIpset } from '#kernel/ipset/ipset.ts'
import { findIptables } from '#kernel/iptables/program.ts'
import { openIpvs } from '#kernel/ipvs/ipvs.ts'
import { openRoute } from '#kernel/route/open-route.ts'
import type { Plans } from '#proxy/dataplane.ts'
import { IpvsDataplane } from '#proxy/ipvs/ipvs-dataplane.ts'
import { setIpvs } from '#proxy/ipvs/settings.ts'
import { proxyDefaults } from '#proxy/options.ts'
import { NftablesDataplane } from '#proxy/nftables/nftables-dataplane.ts'
import { planService } from '#proxy/plan/plan.ts'
import { viewService, viewSlice } from '#proxy/state.ts'
import { need } from '#test/need.ts'
import { addresses, type Name } from '#test/proxy-topology.ts'
import { type Random, seeded } from '#test/random.ts'
import { inFamily6, ipsets, randomIptables, randomNft, virtualIp, virtualIp6 } from '#test/random-rules.ts'
import {
  compare,
  forgetConnections,
  observe,
  type Probe,
  run,
  servingTopology,
  traceProbe,
} from '#test/trace-against-kernel.ts'
import { readObjects } from '#test/yaml-objects.ts'
import { percent } from '#trace/fraction.ts'
import { verdictsOf } from '#trace/outcome.ts'
import { type Input, readWorld } from '#trace/read/read-world.ts'
import type { World } from '#trace/world.ts'

const skip = need({ root: true, programs: ['iptables', 'iptables-legacy', 'ip6tables', 'nft', 'ipset'] })
const soak = process.env['FAIRWAY_SOAK'] === '1'
const loads = Number(process.env['FAIRWAY_LOADS'] ?? (soak ? 200 : 5))
/** Of the first load; each next has the next. Those of nftables begin a thousand later. */
const firstSeed = Number(process.env['FAIRWAY_SEED'] ?? (soak ? Math.floor(Math.random() * 2 ** 31) : 1000))
const perLoad = 20
const timeout = soak ? 3_600_000 : 110_000

/** The Services of the proxy's own tests. */
function servicePlans(family: 4 | 6): Plans {
  const objects = readObjects('src/proxy/testdata/packets.yaml')
  const slices = objects.slices.flatMap((slice) => viewSlice(slice) ?? [])
  const place = { name: 'node-1', zone: 'zone-1', ips: addresses.node1 }
  const services = objects.services.flatMap((service) => viewService(service) ?? [])
  return new Map(
    services.map((service) => {
      const its = slices.filter((slice) => slice.service === service.key)
      return [service.key, [...planService(service, its, family, place)]]
    }),
  )
}

/** Written by our nftables mode. */
async function writeOurs(family: 4 | 6, netns: string): Promise<void> {
  const local = { kind: 'cidr' as const, cidr: family === 4 ? '10.244.0.0/16' : 'fd00:244::/32' }
  const serviceCidrs = [family === 4 ? '10.96.0.0/12' : 'fd00:96::/108']
  const options = {
    family,
    masqueradeMark: 0x4000,
    masqueradeAll: false,
    local,
    nodePortIps: 'all' as const,
    serviceCidrs,
  }
  using plane = new NftablesDataplane(options, { failed: () => undefined }, netns)
  await plane.apply(servicePlans(family))
}

/** The same by its IPVS mode, in one family. */
async function writeIpvs(netns: string): Promise<IpvsDataplane> {
  const kernel = openIpvs(netns)!
  setIpvs(kernel, proxyDefaults.ipvs, netns)
  const ownIps = [addresses.node1[4], '10.244.0.1']
  const plane = new IpvsDataplane(
    { ipvs: kernel, ipset: openIpset(netns), route: openRoute(netns), iptables: await findIptables(4, { netns }) },
    {
      family: 4,
      scheduler: 'rr',
      masqueradeMark: 0x4000,
      masqueradeAll: false,
      local: { kind: 'cidr', cidr: '10.244.0.0/16' },
      nodePortIps: ownIps,
      ownIps,
      excludeCidrs: [],
    },
  )
  await plane.apply(servicePlans(4))
  return plane
}

const senders: readonly Name[] = ['client', 'a', 'b', 'node1']
const randomProbes = (random: Random): Probe[] =>
  Array.from({ length: perLoad }, (_, i) => i).flatMap((i) =>
    [random.pick(senders), random.pick(senders)].map((from) => ({
      from,
      to: virtualIp(i),
      port: 80,
      protocol: random.pick(['tcp', 'udp'] as const),
    })),
  )

/** To each Service of the proxy's own tests, by each of its addresses. */
const ports = [30003, 30004, 30005, 30006, 30008, 30009, 30012]
const serviceProbes: readonly Probe[] = (['tcp', 'udp'] as const).flatMap((protocol) => [
  ...Array.from({ length: 14 }, (_, i) => `10.96.0.${i + 1}`)
    .concat('203.0.113.8', '203.0.113.9', '80.11.12.10')
    .flatMap((to) => (['client', 'a', 'node1'] as const).map((from) => ({ from, to, port: 80, protocol }))),
  ...ports.flatMap((port) =>
    (['client', 'b'] as const).map((from) => ({ from, to: addresses.node1[4], port, protocol })),
  ),
])

test('trace: what the kernel does is what the tracer says', { skip, timeout }, async (t) => {
  await using net = await servingTopology()
  const known = await observe(net)
  const worldWith = (...rules: readonly Input[]) => {
    const { world, problems } = readWorld([
      ...known,
      ...rules.map(({ file, text }) => ({ file: `nodes/node1/${file}`, text })),
    ])
    assert.deepEqual(problems, [])
    return world
  }
  const check = (wrong: readonly string[], about: string) =>
    assert.deepEqual(wrong, [], `${about}\n${wrong.join('\n')}`)

  t.diagnostic(`${loads} loads of each kind, seeds from ${firstSeed}`)

  await t.test('random rules of iptables, both back ends', { timeout }, async () => {
    run(net, ['ipset', 'restore'], ipsets)
    const sets = { file: 'ipset.txt', text: run(net, ['ipset', 'save']) }
    for (let n = 0; n < loads; n++) {
      const seed = firstSeed + n
      const random = seeded(seed)
      const rules = randomIptables(random, perLoad)
      const backend = random.pick(['nft', 'legacy'])
      run(net, [`iptables-${backend}-restore`], rules)
      const dumps =
        n % 3 === 2
          ? ['raw', 'mangle', 'filter', 'nat'].map((table) => ({
              file: `iptables-${table}.txt`,
              text: run(net, [
                `iptables-${backend}`,
                '-t',
                table,
                '-L',
                '-v',
                '-n',
                ...(n % 2 ? ['--line-numbers'] : []),
              ]),
            }))
          : [
              {
                file: 'iptables-save.txt',
                text: run(net, [`iptables-${backend}-save`, ...(random.next() < 0.5 ? ['-c'] : [])]),
              },
            ]
      const wrong = await compare(net, worldWith(...dumps, sets), randomProbes(random), 3)
      forgetConnections(net)
      run(net, [`iptables-${backend}-restore`], randomIptables(random, 0))
      check(wrong, `seed ${seed}, ${backend}\n${rules}`)
    }
    run(net, ['ipset', 'destroy'])
  })

  await t.test('random rules of ip6tables', { timeout }, async () => {
    for (let n = 0; n < loads; n++) {
      const seed = firstSeed + 2000 + n
      const random = seeded(seed)
      const rules = inFamily6(randomIptables(random, perLoad))
      const backend = random.pick(['nft', 'legacy'])
      run(net, [`ip6tables-${backend}-restore`], rules)
      const dump = { file: 'ip6tables-save.txt', text: run(net, [`ip6tables-${backend}-save`]) }
      const probes = randomProbes(random).map((probe, i) => ({ ...probe, to: virtualIp6(i >> 1) }))
      const wrong = await compare(net, worldWith(dump), probes, 3)
      forgetConnections(net)
      run(net, [`ip6tables-${backend}-restore`], inFamily6(randomIptables(random, 0)))
      check(wrong, `seed ${seed}, ${backend}\n${rules}`)
    }
  })

  await t.test('random rules of nftables, as text, as JSON and as the kernel has them', { timeout }, async () => {
    for (let n = 0; n < loads; n++) {
      const seed = firstSeed + 1000 + n
      const random = seeded(seed)
      const rules = randomNft(random, perLoad)
      run(net, ['nft', '-f', '-'], rules)
      const form = n % 3
      const dump =
        form === 0
          ? { file: 'nft.txt', text: run(net, ['nft', 'list', 'ruleset']) }
          : form === 1
            ? { file: 'nft.json', text: run(net, ['nft', '-j', 'list', 'ruleset']) }
            : {
                file: 'nftables.json',
                text: (await collectNamespace(net.node1.netns, false)).files.find(
                  ({ name }) => name === 'nftables.json',
                )!.text,
              }
      const wrong = await compare(net, worldWith(dump), randomProbes(random), 3)
      forgetConnections(net)
      run(net, ['nft', 'flush', 'ruleset'])
      check(wrong, `seed ${seed}, ${dump.file}\n${rules}`)
    }
  })

  await t.test('the layout of kube-proxy in iptables', { timeout }, async () => {
    // Named counters need an object in the kernel, and change nothing.
    const rules = readFileSync('src/trace/testdata/kube-proxy.save', 'utf8').replaceAll(
      /-m nfacct --nfacct-name +\S+ /g,
      '',
    )
    run(net, ['iptables-restore'], rules)
    const dump = { file: 'iptables-save.txt', text: run(net, ['iptables-save']) }
    check(await compare(net, worldWith(dump), serviceProbes, 3), 'kube-proxy, iptables')
    run(net, ['nft', 'flush', 'ruleset'])
  })

  const probes6 = serviceProbes.flatMap((probe) => {
    const to = probe.to.startsWith('10.96.0.')
      ? `fd00:96::${Number(probe.to.split('.')[3]).toString(16)}`
      : probe.to === addresses.node1[4]
        ? addresses.node1[6]
        : undefined
    return to === undefined ? [] : [{ ...probe, to }]
  })

  await t.test("fairway's own layout in nftables, both families", { timeout }, async () => {
    for (const family of [4, 6] as const) await writeOurs(family, net.node1.netns)
    const { files } = await collectNamespace(net.node1.netns, false)
    const dump = files.filter(({ name }) => name === 'nftables.json').map(({ name, text }) => ({ file: name, text }))
    const texts = [
      { file: 'nft.txt', text: run(net, ['nft', 'list', 'ruleset']) },
      { file: 'nft.json', text: run(net, ['nft', '-j', 'list', 'ruleset']) },
    ]
    const probes = [...serviceProbes, ...probes6]
    const whole = worldWith(...dump)
    const wrong = await compare(net, whole, probes, 3)
    run(net, ['nft', 'flush', 'ruleset'])
    check(wrong, 'fairway, nftables')
    // What nft does not print of these rules is put together again.
    const said = (world: World, probe: Probe) =>
      verdictsOf(traceProbe(world, probe))
        .map(({ share, text, conditions }) => `${percent(share)} ${text} ${conditions.join(', ')}`)
        .toSorted()
    for (const text of texts) {
      const printed = worldWith(text)
      for (const probe of probes)
        assert.deepEqual(said(printed, probe), said(whole, probe), `${text.file} ${JSON.stringify(probe)}`)
    }
  })

  await t.test('the layout of kube-proxy in nftables', { timeout }, async () => {
    run(net, ['nft', '-f', '-'], readFileSync('src/kernel/nft/testdata/kube-proxy.nft', 'utf8'))
    const dump = { file: 'nft.txt', text: run(net, ['nft', 'list', 'ruleset']) }
    check(await compare(net, worldWith(dump), serviceProbes, 3), 'kube-proxy, nftables')
    run(net, ['nft', 'flush', 'ruleset'])
  })
})

const needIpvs = need({ root: true, files: ['/proc/net/ip_vs'], programs: ['ipvsadm', 'ipset', 'iptables'] })

test('trace, IPVS: what the kernel does is what the tracer says', { skip: needIpvs, timeout: 300_000 }, async () => {
  await using net = await servingTopology()
  const plane = await writeIpvs(net.node1.netns)
  const { files, gaps } = await collectNamespace(net.node1.netns)
  assert.deepEqual(gaps, [])
  const rules = files.filter(({ name }) => /^(iptables-save|ipset|ipvsadm)/.test(name))
  const inputs = [...(await observe(net)), ...rules.map(({ name, text }) => ({ file: `nodes/node1/${name}`, text }))]
  const { world, problems } = readWorld(inputs)
  assert.deepEqual(problems, [])
  const wrong = await compare(net, world, serviceProbes, 3)
  await plane.remove()
  plane[Symbol.dispose]()
  assert.deepEqual(wrong, [], wrong.join('\n'))
})
