// The tracer against the kernel: the same rules, the same packets. What really happened must be the verdict of the trace or
// one of its branches. Rules are our proxy's and kube-proxy's, and random ones that use all that the tracer reads.
import * as assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { collectNamespace } from '#doctor/snapshot/collect-namespace.ts'
import { deleteFlows, listFlows } from '#kernel/conntrack/conntrack.ts'
import { openIpset } from '#kernel/ipset/ipset.ts'
import { findIptables } from '#kernel/iptables/program.ts'
import { openIpvs } from '#kernel/ipvs/ipvs.ts'
import { openRoute } from '#kernel/route/open-route.ts'
import type { Plans } from '#proxy/dataplane.ts'
import { IpvsDataplane } from '#proxy/ipvs/ipvs-dataplane.ts'
import { setIpvs } from '#proxy/ipvs/settings.ts'
import { proxyDefaults } from '#proxy/options.ts'
import { withNetns } from '#kernel/netns.ts'
import { writeSysctls } from '#kernel/sysctl.ts'
import { NftablesDataplane } from '#proxy/nftables/nftables-dataplane.ts'
import { planService } from '#proxy/plan/plan.ts'
import { viewService, viewSlice } from '#proxy/state.ts'
import { canonicalIp } from '#lib/ip.ts'
import { need } from '#test/need.ts'
import { addresses, createProxyTopology, type Name } from '#test/proxy-topology.ts'
import { type Random, seeded } from '#test/random.ts'
import { ipsets, randomIptables, randomNft, virtualIp } from '#test/random-rules.ts'
import type { Tally, Topology } from '#test/topology.ts'
import { readObjects } from '#test/yaml-objects.ts'
import { clientSees } from '#trace/client.ts'
import { firstPacket } from '#trace/packet.ts'
import { renderWay } from '#trace/outcome.ts'
import { type Input, readWorld } from '#trace/read/read-world.ts'
import { type Traced, traceWorld } from '#trace/trace.ts'
import { machineNamed, standingOf, type World } from '#trace/world.ts'

const skip = need({ root: true, programs: ['iptables', 'iptables-legacy', 'ip6tables', 'nft', 'ipset'] })
const soak = process.env['FAIRWAY_SOAK'] === '1'
const loads = soak ? 200 : 5
/** Of the first load; each next has the next. Those of nftables begin a thousand later. */
const firstSeed = Number(process.env['FAIRWAY_SEED'] ?? (soak ? Math.floor(Math.random() * 2 ** 31) : 1000))
const perLoad = 20
const timeout = soak ? 3_600_000 : 110_000

const hosts = ['node1', 'node2', 'client'] as const
const podNodes = { a: 'node1', b: 'node1', c: 'node2' } as const
const served = [8080, 80]

type Net = Topology<Name>

/** All but the rules of the first node, which change. */
async function observe(net: Net): Promise<Input[]> {
  const files: Input[] = []
  for (const name of [...hosts, 'a', 'b', 'c'] as const) {
    const folder = name in podNodes ? `pods/default/${name}` : `nodes/${name}`
    const { files: found } = await collectNamespace(net[name].netns, false)
    files.push(
      ...found
        .filter((file) => file.name !== 'nftables.json')
        .map(({ name: file, text }) => ({ file: `${folder}/${file}`, text })),
    )
  }
  const items = Object.entries(podNodes).map(([name, nodeName]) => ({
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: { nodeName },
    status: {
      phase: 'Running',
      podIP: addresses[name as 'a'][4],
      podIPs: [{ ip: addresses[name as 'a'][4] }, { ip: addresses[name as 'a'][6] }],
    },
  }))
  return [...files, { file: 'objects/pods.json', text: JSON.stringify({ kind: 'PodList', apiVersion: 'v1', items }) }]
}

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
  const options = { family, masqueradeMark: 0x4000, masqueradeAll: false, local, nodePortIps: 'all' as const }
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

const run = (net: Net, words: readonly string[], input?: string): string =>
  withNetns(net.node1.netns, () =>
    execFileSync(words[0]!, words.slice(1), {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
      ...(input !== undefined && { input }),
    }),
  )

type Probe = { readonly from: Name; readonly to: string; readonly port: number; readonly protocol: 'tcp' | 'udp' }

function trace(world: World, { from, to, port, protocol }: Probe): Traced[] {
  const pod = from in podNodes ? canonicalIp(addresses[from as 'a'][to.includes(':') ? 6 : 4]) : undefined
  const standing =
    pod === undefined ? { kind: 'machine' as const, machine: machineNamed(world, from)! } : standingOf(world, pod)
  return traceWorld(world, {
    packet: firstPacket({ protocol, source: pod ?? '', destination: to, destinationPort: port }),
    from: standing,
  })
}

/** What a client sees of a way: `a 10.168.0.2`, `timeout`, `ECONNREFUSED` ... */
function seen(way: Traced): string | readonly string[] {
  const { outcome, packet, answer } = way
  if (outcome.kind === 'delivered' && answer.kind === 'returns')
    return `${outcome.to.replace('pod/', '')} ${packet.source}`
  // Nobody else is in these networks.
  if (outcome.kind === 'left') return 'EHOSTUNREACH'
  const sees = clientSees(way) ?? 'unknown'
  // Routes that refuse tell so only a few times in a row, whatever is set (net/ipv4/route.c, ip_error).
  return way.steps.at(-1)?.place === 'routing' ? ['timeout', sees] : sees
}

/** Sends each packet and asks the tracer; answers what differs. `times` connections a probe. */
async function compare(net: Net, world: World, probes: readonly Probe[], times: number): Promise<string[]> {
  const wrong: string[] = []
  await Promise.all(
    probes.map(async (probe) => {
      const ways = trace(world, probe)
      const wanted = new Set(ways.flatMap(seen))
      const ask = (timeoutMs: number): Promise<Tally> =>
        net[probe.from].connect({
          host: probe.to,
          port: probe.port,
          protocol: probe.protocol,
          times,
          parallel: times,
          hearsSend: true,
          timeoutMs,
        })
      let tally = await ask(400)
      // A machine under load may be slow: only what stays silent for long is silent.
      if ('timeout' in tally && !wanted.has('timeout')) tally = await ask(5000)
      const unexpected = Object.keys(tally).filter((what) => !wanted.has(what))
      if (unexpected.length > 0)
        wrong.push(
          `${probe.protocol} ${probe.from} > ${probe.to}:${probe.port}: the kernel says ${unexpected.join(', ')}; the trace:\n` +
            ways.map((way) => `    ${String(seen(way))}: ${renderWay(way)} ${way.conditions.join(', ')}`).join('\n'),
        )
    }),
  )
  return wrong
}

/** A client's port may come again, and what was decided for its first connection would still hold. */
function forgetConnections(net: Net): void {
  const { netns } = net.node1
  for (const protocol of [6, 17]) deleteFlows(4, listFlows(4, protocol, netns), netns)
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

async function servingTopology(): Promise<Net> {
  const net = await createProxyTopology()
  for (const name of ['node1', 'node2', 'a', 'b', 'c'] as const) {
    await net[name].serve(...served)
    // Refusals are answers by ICMP, of which the kernel sends few a second.
    writeSysctls(
      { 'net/ipv4/icmp_ratelimit': 0, 'net/ipv4/icmp_msgs_per_sec': 100_000, 'net/ipv4/icmp_msgs_burst': 100_000 },
      net[name].netns,
    )
  }
  return net
}

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
          ? ['mangle', 'filter', 'nat'].map((table) => ({
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

  const inFamily6 = serviceProbes.flatMap((probe) => {
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
    const wrong = await compare(net, worldWith(...dump), [...serviceProbes, ...inFamily6], 3)
    run(net, ['nft', 'flush', 'ruleset'])
    check(wrong, 'fairway, nftables')
  })

  await t.test('the layout of kube-proxy in nftables', { timeout }, async () => {
    run(net, ['nft', '-f', '-'], readFileSync('src/kernel/nft/testdata/kube-proxy.nft', 'utf8'))
    const dump = { file: 'nft.txt', text: run(net, ['nft', 'list', 'ruleset']) }
    check(await compare(net, worldWith(dump), serviceProbes, 3), 'kube-proxy, nftables')
    run(net, ['nft', 'flush', 'ruleset'])
  })
})

/** Rules below IP, as `nft -f` takes them: at ports of the bridge, at links, and of the bridge itself. */
const lowRules: readonly string[] = [
  'table netdev t { chain c { type filter hook ingress device "to-a" priority 0; ip daddr 10.244.0.12 drop; }; }',
  'table netdev t { chain c { type filter hook ingress device "eth0" priority 0; tcp dport 8080 drop; }; }',
  'table netdev t { chain c { type filter hook egress device "to-b" priority 0; ip saddr 10.244.0.11 drop; }; }',
  'table netdev t { chain c { type filter hook egress device "cni0" priority 0; ip saddr 10.168.0.0/16 udp dport 8080 drop; }; }',
  'table netdev t { chain c { type filter hook egress devices = { "eth0", "to-a" } priority 0; udp sport 8080 drop; }; }',
  'table inet t { chain c { type filter hook ingress device "eth0" priority 0; ip saddr 10.168.0.100 udp dport 8080 drop; }; }',
  'table bridge t { chain c { type filter hook forward priority 0; ip daddr 10.244.0.12 tcp dport 8080 drop; }; }',
  'table bridge t { chain c { type filter hook forward priority 0; policy drop; iifname "to-a" oifname "to-b" ip protocol tcp accept; iifname "to-b" accept; }; }',
  'table bridge t { chain c { type filter hook input priority 0; iifname "to-a" meta l4proto udp drop; }; }',
  'table bridge t { chain c { type filter hook output priority 0; oifname "to-a" ip saddr 10.168.0.0/16 drop; }; }',
  'table bridge t { chain c { type filter hook postrouting priority 0; oifname "to-b" ip daddr 10.244.0.12 udp dport 8080 drop; }; }',
  'table bridge t { chain c { type filter hook prerouting priority -300; iifname "to-a" ether type ip ip daddr 10.244.1.11 drop; }; }',
]

test('trace: rules of bridges, and at ingress and egress, are walked', { skip, timeout: 110_000 }, async () => {
  await using net = await servingTopology()
  const probes = (['tcp', 'udp'] as const).flatMap((protocol) =>
    (
      [
        ['a', '10.244.0.12'],
        ['b', '10.244.0.11'],
        ['a', '10.244.1.11'],
        ['client', '10.244.0.11'],
        ['node1', '10.244.0.11'],
      ] as const
    ).map(([from, to]) => ({ from, to, port: 8080, protocol })),
  )
  for (const seen of [1, 0]) {
    writeSysctls({ 'net/bridge/bridge-nf-call-iptables': seen }, net.node1.netns)
    const known = await observe(net)
    for (const [i, rules] of lowRules.entries()) {
      run(net, ['nft', '-f', '-'], rules)
      const isText = i % 2 === seen
      const { files } = await collectNamespace(net.node1.netns, false)
      const dump = isText
        ? { file: 'nodes/node1/nft.txt', text: run(net, ['nft', 'list', 'ruleset']) }
        : { file: 'nodes/node1/nftables.json', text: files.find(({ name }) => name === 'nftables.json')!.text }
      const { world, problems } = readWorld([...known, dump])
      assert.deepEqual(problems, [])
      const wrong = await compare(net, world, probes, 1)
      run(net, ['nft', 'flush', 'ruleset'])
      assert.deepEqual(wrong, [], `${rules}, ${dump.file}, bridge-nf-call-iptables ${seen}\n${wrong.join('\n')}`)
    }
  }
})

type Fault = { readonly name: string; apply(net: Net): void; undo(net: Net): void }

const setting = (net: Net, values: Readonly<Record<string, string | number>>) =>
  void writeSysctls(values, net.node1.netns)
const sysctlFault = (name: string, key: string, broken: number, whole: number): Fault => ({
  name,
  apply: (net) => setting(net, { [key]: broken }),
  undo: (net) => setting(net, { [key]: whole }),
})
const commandFault = (name: string, apply: string, undo: string): Fault => ({
  name,
  apply: (net) => void run(net, apply.split(' ')),
  undo: (net) => void run(net, undo.split(' ')),
})

/** What breaks Services although the rules are right. */
const faults: readonly Fault[] = [
  { name: 'nothing', apply: () => undefined, undo: () => undefined },
  sysctlFault('no forwarding', 'net/ipv4/ip_forward', 0, 1),
  sysctlFault('what a bridge carries is not seen', 'net/bridge/bridge-nf-call-iptables', 0, 1),
  {
    name: 'no hairpin',
    apply: (net) => net.node1.route.setLink('to-a', { hairpin: false }),
    undo: (net) => net.node1.route.setLink('to-a', { hairpin: true }),
  },
  {
    name: 'no hairpin, and what a bridge carries is not seen',
    apply(net) {
      net.node1.route.setLink('to-a', { hairpin: false })
      setting(net, { 'net/bridge/bridge-nf-call-iptables': 0 })
    },
    undo(net) {
      net.node1.route.setLink('to-a', { hairpin: true })
      setting(net, { 'net/bridge/bridge-nf-call-iptables': 1 })
    },
  },
  commandFault('no route to the other node', 'ip route del 10.244.1.0/24', 'ip route add 10.244.1.0/24 via 10.168.0.3'),
  commandFault('a black hole', 'ip route add blackhole 10.244.1.0/25', 'ip route del blackhole 10.244.1.0/25'),
  commandFault(
    'an unreachable route',
    'ip route add unreachable 10.244.1.11/32',
    'ip route del unreachable 10.244.1.11/32',
  ),
  commandFault('a prohibited route', 'ip route add prohibit 10.244.1.11/32', 'ip route del prohibit 10.244.1.11/32'),
  commandFault(
    'two ways at once',
    'ip route replace 10.244.1.0/24 nexthop via 10.168.0.3 nexthop via 10.168.0.3',
    'ip route replace 10.244.1.0/24 via 10.168.0.3',
  ),
  {
    name: 'a rule that sends pods to a table of their own',
    apply(net) {
      run(net, 'ip route add unreachable default table 100'.split(' '))
      run(net, 'ip rule add from 10.244.0.11 to 10.244.1.0/24 lookup 100 priority 50'.split(' '))
    },
    undo(net) {
      run(net, 'ip rule del priority 50'.split(' '))
      run(net, 'ip route flush table 100'.split(' '))
    },
  },
  {
    name: 'answers that leave by another interface, strictly',
    apply(net) {
      setting(net, { 'net/ipv4/conf/all/rp_filter': 1 })
      run(net, 'ip route add 10.168.0.100/32 dev cni0'.split(' '))
    },
    undo(net) {
      run(net, 'ip route del 10.168.0.100/32 dev cni0'.split(' '))
      setting(net, { 'net/ipv4/conf/all/rp_filter': 0 })
    },
  },
  {
    name: 'answers that leave by another interface, loosely',
    apply(net) {
      setting(net, { 'net/ipv4/conf/all/rp_filter': 2 })
      run(net, 'ip route add 10.168.0.100/32 dev cni0'.split(' '))
    },
    undo(net) {
      run(net, 'ip route del 10.168.0.100/32 dev cni0'.split(' '))
      setting(net, { 'net/ipv4/conf/all/rp_filter': 0 })
    },
  },
  { name: 'a tunnel', apply: tunnel, undo: withoutTunnel },
  {
    name: 'a tunnel whose other end nobody knows',
    apply(net) {
      tunnel(net)
      net.node1.route.deleteForwarding({ link: 'flannel.1', mac: '2e:00:00:00:00:02', destination: '10.168.0.3' })
    },
    undo: withoutTunnel,
  },
  {
    name: 'a tunnel that a firewall stops',
    apply(net) {
      tunnel(net)
      withNetns(net.node2.netns, () => execFileSync('iptables', '-A INPUT -p udp --dport 8472 -j DROP'.split(' ')))
    },
    undo(net) {
      withNetns(net.node2.netns, () => execFileSync('iptables', ['-F', 'INPUT']))
      withoutTunnel(net)
    },
  },
]

const tunnelEnds = [
  { node: 'node1', number: 0, ip: '10.168.0.2', mac: '2e:00:00:00:00:01' },
  { node: 'node2', number: 1, ip: '10.168.0.3', mac: '2e:00:00:00:00:02' },
] as const

/** As flannel lays it. */
function tunnel(net: Net): void {
  for (const [i, own] of tunnelEnds.entries()) {
    const other = tunnelEnds[1 - i]!
    const { route } = net[own.node]
    route.addVxlan({
      name: 'flannel.1',
      id: 1,
      port: 8472,
      device: 'eth0',
      local: own.ip,
      mac: own.mac,
      mtu: 1450,
      up: true,
    })
    route.addAddress({ link: 'flannel.1', cidr: `10.244.${own.number}.0/32` })
    route.replaceNeighbour({ link: 'flannel.1', ip: `10.244.${other.number}.0`, mac: other.mac })
    route.replaceForwarding({ link: 'flannel.1', mac: other.mac, destination: other.ip })
    route.replaceRoute({
      destination: `10.244.${other.number}.0/24`,
      via: `10.244.${other.number}.0`,
      link: 'flannel.1',
      onlink: true,
    })
  }
}

function withoutTunnel(net: Net): void {
  for (const [i, own] of tunnelEnds.entries()) {
    const other = tunnelEnds[1 - i]!
    net[own.node].route.deleteLink('flannel.1')
    net[own.node].route.replaceRoute({ destination: `10.244.${other.number}.0/24`, via: other.ip })
  }
}

test('trace: what is wrong beside the rules is seen too', { skip, timeout: 110_000 }, async () => {
  await using net = await servingTopology()
  const rules = readFileSync('src/trace/testdata/kube-proxy.save', 'utf8').replaceAll(
    /-m nfacct --nfacct-name +\S+ /g,
    '',
  )
  run(net, ['iptables-restore'], rules)
  const probes = (['tcp', 'udp'] as const).flatMap((protocol) =>
    [
      ['a', '10.96.0.1', 80],
      ['a', '10.96.0.2', 80],
      ['client', '10.96.0.1', 80],
      ['client', '10.168.0.2', 30_005],
      ['node1', '10.96.0.1', 80],
      ['a', '10.244.1.11', 8080],
      ['b', '10.244.0.11', 8080],
    ].map(([from, to, port]) => ({ from: from as Name, to: to as string, port: port as number, protocol })),
  )
  for (const { name, apply, undo } of faults) {
    apply(net)
    const known = await observe(net)
    const dumps: Input[] = ['node1', 'node2'].map((node) => ({
      file: `nodes/${node}/iptables-save.txt`,
      text: withNetns(net[node as 'node1'].netns, () => execFileSync('iptables-save', { encoding: 'utf8' })),
    }))
    const { world, problems } = readWorld([...known, ...dumps])
    assert.deepEqual(problems, [])
    const wrong = await compare(net, world, probes, 6)
    undo(net)
    assert.deepEqual(wrong, [], `${name}\n${wrong.join('\n')}`)
  }
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
