// What real packets meet, in each mode by the same table: a client on the LAN, pods a and b on node-1, pod c on node-2.
// Each pod answers its name and the address that it saw.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { silentLog } from '#daemon/log.ts'
import { openIpset } from '#kernel/ipset/ipset.ts'
import { openIpvs } from '#kernel/ipvs/ipvs.ts'
import { findIptables } from '#kernel/iptables/program.ts'
import type { Dataplane, Plans } from '#proxy/dataplane.ts'
import { IptablesDataplane } from '#proxy/iptables/iptables-dataplane.ts'
import { allowLocalhostNodePorts } from '#proxy/kernel-settings.ts'
import { IpvsDataplane } from '#proxy/ipvs/ipvs-dataplane.ts'
import { setIpvs } from '#proxy/ipvs/settings.ts'
import { openRoute } from '#kernel/route/open-route.ts'
import { proxyDefaults } from '#proxy/options.ts'
import { NftablesDataplane } from '#proxy/nftables/nftables-dataplane.ts'
import { planService } from '#proxy/plan/plan.ts'
import { type Family, type NodePlace, viewService, viewSlice } from '#proxy/state.ts'
import { need } from '#test/need.ts'
import { addresses, createProxyTopology, type Name, stranger } from '#test/proxy-topology.ts'
import type { ConnectOptions, Tally, Topology } from '#test/topology.ts'
import { readObjects } from '#test/yaml-objects.ts'

const objects = readObjects('src/proxy/testdata/packets.yaml')
const slices = objects.slices.flatMap((slice) => viewSlice(slice) ?? [])
const services = objects.services.flatMap((service) => viewService(service) ?? [])

const nodes = {
  node1: { name: 'node-1', zone: 'zone-1', ips: addresses.node1 },
  node2: { name: 'node-2', zone: 'zone-2', ips: addresses.node2 },
} as const satisfies Record<string, NodePlace>

function plansFor(node: NodePlace, family: Family): Plans {
  const plans = new Map<string, ReturnType<typeof planService>>()
  for (const service of services) {
    const its = slices.filter((slice) => slice.service === service.key)
    plans.set(service.key, planService(service, its, family, node))
  }
  return plans
}

const podCidr = { 4: '10.244.0.0/16', 6: 'fd00:244::/32' } as const
const iptables = (backend: 'nft' | 'legacy') => async (family: Family, netns: string) =>
  new IptablesDataplane(
    await findIptables(family, { backend, netns }),
    {
      masqueradeMark: 0x4000,
      masqueradeAll: false,
      local: { kind: 'cidr', cidr: podCidr[family] },
      localhostNodePorts: true,
      nodePortIps: 'all',
      conntrackLiberal: false,
    },
    silentLog,
    { written: () => undefined, failed: () => undefined },
  )

const nftables = (family: Family, netns: string) =>
  Promise.resolve(
    new NftablesDataplane(
      {
        family,
        masqueradeMark: 0x4000,
        masqueradeAll: false,
        local: { kind: 'cidr', cidr: podCidr[family] },
        nodePortIps: 'all',
      },
      { failed: () => undefined },
      netns,
    ),
  )

const ownIps = { node1: addresses.node1, node2: addresses.node2 }
async function ipvs(family: Family, netns: string): Promise<Dataplane> {
  const kernel = openIpvs(netns)!
  setIpvs(kernel, proxyDefaults.ipvs, netns)
  const bridge = { 4: ['10.244.0.1', '10.244.1.1'], 6: ['fd00:244::1', 'fd00:244:0:1::1'] }[family]
  const isFirst = netns.endsWith('node1')
  const ips = [ownIps[isFirst ? 'node1' : 'node2'][family], bridge[isFirst ? 0 : 1]!]
  return new IpvsDataplane(
    { ipvs: kernel, ipset: openIpset(netns), route: openRoute(netns), iptables: await findIptables(family, { netns }) },
    {
      family,
      scheduler: 'rr',
      masqueradeMark: 0x4000,
      masqueradeAll: false,
      local: { kind: 'cidr', cidr: podCidr[family] },
      nodePortIps: ips,
      ownIps: ips,
      excludeCidrs: [],
    },
  )
}

type Mode = { readonly name: string; open(family: Family, netns: string): Promise<Dataplane> }
/** In a virtual machine, connections are slow. */
const fairTimes = process.env['FAIRWAY_SHORT'] === '1' ? 30 : 90

const modes: readonly Mode[] = [
  { name: 'iptables (nft)', open: iptables('nft') },
  { name: 'iptables (legacy)', open: iptables('legacy') },
  { name: 'nftables', open: nftables },
  { name: 'ipvs', open: ipvs },
]

type To = {
  /** an address of the cluster: 4 -> '10.96.0.1' */
  readonly to: (family: Family) => string
  readonly port: number
}
const cluster = (i: number): To => ({ to: (family) => (family === 4 ? `10.96.0.${i}` : `fd00:96::${i}`), port: 80 })
const nodePort = (node: 'node1' | 'node2', port: number): To => ({ to: (family) => addresses[node][family], port })
const at = (v4: string, v6: string): To => ({ to: (family) => (family === 4 ? v4 : v6), port: 80 })

/**
 * `a b c`: these pods answer, in equal shares. `a@client`: and see that address. A single word in capitals: an error.
 * `ipvs`: what that mode does instead, since a virtual server of the kernel is the same for all clients.
 */
type Probe = readonly [from: Name | 'stranger', to: To, want: string, ipvs?: string]

const probes: Readonly<Record<string, readonly Probe[]>> = {
  'cluster IP': [
    ['a', cluster(1), 'a@bridge1 b@a c@a'],
    ['client', cluster(1), 'a@bridge1 b@bridge1 c@node1'],
    ['node1', cluster(1), 'a b c'],
  ],
  hairpin: [
    ['a', cluster(2), 'a@bridge1'],
    ['b', cluster(2), 'a@b'],
  ],
  'no endpoints': [
    ['client', cluster(3), 'ECONNREFUSED'],
    ['a', cluster(3), 'ECONNREFUSED'],
    ['node1', cluster(3), 'ECONNREFUSED'],
    ['client', nodePort('node1', 30003), 'ECONNREFUSED'],
  ],
  'NodePort, policy Cluster': [
    ['client', nodePort('node1', 30004), 'a@bridge1 b@bridge1 c@node1'],
    ['client', nodePort('node2', 30004), 'a@node2 b@node2 c@bridge2'],
    ['node1', nodePort('node1', 30004), 'a b c'],
    ['a', nodePort('node2', 30004), 'a@node2 b@node2 c@bridge2'],
    ['a', cluster(4), 'a@bridge1 b@a c@a'],
  ],
  'NodePort, policy Local': [
    ['client', nodePort('node1', 30005), 'a@client'],
    ['client', nodePort('node2', 30005), 'c@client'],
    ['b', nodePort('node1', 30005), 'a@b c@b', 'a@b'],
    ['node1', nodePort('node1', 30005), 'a c', 'a'],
    ['client', cluster(5), 'a@bridge1 c@node1'],
  ],
  'NodePort, policy Local, no endpoint on the node': [
    ['client', nodePort('node1', 30006), 'timeout'],
    ['client', nodePort('node2', 30006), 'c@client'],
    ['b', nodePort('node1', 30006), 'c@b'],
    ['node1', nodePort('node1', 30006), 'c@node1'],
  ],
  'external IP': [
    ['client', at('80.11.12.10', 'fd00:80::10'), 'a@bridge1 c@node1'],
    ['b', at('80.11.12.10', 'fd00:80::10'), 'a@bridge1 c@node1'],
  ],
  'source ranges': [
    ['client', at('203.0.113.8', 'fd00:203::8'), 'a b'],
    ['stranger', at('203.0.113.8', 'fd00:203::8'), 'timeout'],
    ['stranger', nodePort('node1', 30008), 'a b'],
  ],
  'load balancer, policy Local, no endpoint on the node': [
    ['client', at('203.0.113.9', 'fd00:203::9'), 'timeout'],
    ['b', at('203.0.113.9', 'fd00:203::9'), 'c@b'],
  ],
  'internal policy Local': [
    ['b', cluster(10), 'a@b'],
    ['node1', cluster(10), 'a'],
    ['c', cluster(10), 'c@bridge2'],
    ['c', cluster(11), 'c@bridge2'],
    ['b', cluster(11), 'timeout', 'ECONNREFUSED'],
  ],
  'only terminating endpoints': [['client', cluster(13), 'b']],
  zones: [
    ['a', cluster(14), 'a b'],
    ['c', cluster(14), 'c'],
  ],
}

const sourceOf = (word: string, family: Family): string => {
  const bridge = { 4: ['10.244.0.1', '10.244.1.1'], 6: ['fd00:244::1', 'fd00:244:0:1::1'] }[family]
  if (word.startsWith('bridge')) return bridge[Number(word.at(-1)) - 1]!
  const address = addresses[word as keyof typeof addresses][family]
  return address.replace('fd00:244:0:0::', 'fd00:244::')
}

/** Whether each of n equal shares was had often enough; fails below one in 10^9. */
function assertShares(counts: readonly number[], of: number): void {
  const share = of / counts.length
  const spread = 6.2 * Math.sqrt(share * (1 - 1 / counts.length))
  for (const count of counts) assert.ok(Math.abs(count - share) <= spread + 1, `${counts.join(' ')} of ${of}`)
}

function check(tally: Tally, want: string, family: Family, times: number): void {
  if (/^[A-Z]|^timeout$/.test(want)) return assert.deepEqual(tally, { [want]: times })
  const pods = want.split(' ').map((word) => word.split('@'))
  const byPod = new Map<string, number>()
  for (const [answer, count] of Object.entries(tally)) {
    const [pod = '', source] = answer.split(' ')
    byPod.set(pod, (byPod.get(pod) ?? 0) + count)
    const seen = pods.find(([name]) => name === pod)?.[1]
    if (seen !== undefined) assert.equal(source, sourceOf(seen, family), `${pod} saw`)
  }
  assert.deepEqual([...byPod.keys()].sort(), pods.map(([pod]) => pod).sort(), JSON.stringify(tally))
  assertShares([...byPod.values()], times)
}

async function probe(net: Topology<Name>, [from, { to, port }, want]: Probe, family: Family): Promise<void> {
  const place = from === 'stranger' ? net.client : net[from]
  for (const protocol of ['tcp', 'udp'] as const) {
    const times = want.includes(' ') ? fairTimes : want === 'timeout' ? 1 : 10
    const options: ConnectOptions = {
      host: to(family),
      port,
      protocol,
      times,
      timeoutMs: want === 'timeout' ? 200 : 3000,
      ...(place === net.client && { localAddress: (from === 'stranger' ? stranger : addresses.client)[family] }),
    }
    const tally = await place.connect(options)
    try {
      check(tally, want, family, times)
    } catch (error) {
      assert.fail(`${from} to ${options.host}:${port}/${protocol}: ${(error as Error).message}`)
    }
  }
}

const needIptables = { root: true, programs: ['iptables', 'ip6tables'] }
const needIpvs = { ...needIptables, files: ['/proc/sys/net/ipv4/vs'] }

for (const { name, open } of modes)
  test(`packets, ${name}`, { skip: need(name === 'ipvs' ? needIpvs : needIptables) }, async (t) => {
    await using net = await createProxyTopology()
    for (const pod of ['a', 'b', 'c'] as const) await net[pod].serve(8080)
    const planes: Dataplane[] = []
    for (const node of ['node1', 'node2'] as const) {
      allowLocalhostNodePorts(net[node].netns)
      for (const family of [4, 6] as const) {
        const plane = await open(family, net[node].netns)
        await plane.apply(plansFor(nodes[node], family))
        planes.push(plane)
      }
    }
    for (const [what, list] of Object.entries(probes))
      for (const family of [4, 6] as const)
        await t.test(`${what}, IPv${family}`, async () => {
          for (const [from, to, want, ipvs] of list)
            await probe(net, [from, to, name === 'ipvs' ? (ipvs ?? want) : want], family)
        })
    for (const family of [4, 6] as const)
      await t.test(`affinity, IPv${family}`, () => affinity(net, family, name === 'ipvs' ? 0 : 20))
    if (name.startsWith('iptables'))
      await t.test('NodePort on localhost', () =>
        probe(net, ['node1', { to: () => '127.0.0.1', port: 30004 }, 'a b c'], 4),
      )
    await t.test('all is taken away', async () => {
      for (const plane of planes) await plane.remove()
      assert.deepEqual(await net.client.connect({ host: '10.168.0.2', port: 30004 }), { ECONNREFUSED: 1 })
    })
  })

/**
 * One pod for 20 connections, through any address of the Service; after the time-out any pod again. IPVS remembers a
 * client until a minute after its last connection has left the kernel's table, so that is not waited for.
 */
async function affinity(net: Topology<Name>, family: Family, rounds: number): Promise<void> {
  const host = cluster(12).to(family)
  const podsOf = (tally: Tally) => [...new Set(Object.keys(tally).map((answer) => answer.split(' ')[0]!))]
  const pods = podsOf(await net.client.connect({ host, port: 80, times: 20, parallel: 1 }))
  assert.equal(pods.length, 1, pods.join(' '))
  const others = await net.client.connect({ host: addresses.node1[family], port: 30012, times: 20, parallel: 1 })
  // IPVS remembers clients for each of its virtual servers.
  if (rounds > 0) assert.deepEqual(podsOf(others), pods)
  else assert.equal(podsOf(others).length, 1)
  // Each round is the same pod again with chance 1/3: twenty leave 3e-10.
  const found = new Set(pods)
  for (let round = 0; round < rounds && found.size === 1; round++) {
    await new Promise((resolve) => setTimeout(resolve, 1100))
    for (const pod of podsOf(await net.client.connect({ host, port: 80 }))) found.add(pod)
  }
  assert.ok(rounds === 0 || found.size > 1, 'the client never got another pod')
}
