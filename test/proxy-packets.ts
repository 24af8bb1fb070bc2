// What real packets meet, in whichever mode, by one table: a client on the LAN, pods a and b on node-1, pod c on node-2.
// Each pod answers its name and the address that it saw.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Dataplane, Plans } from '#proxy/dataplane.ts'
import { allowLocalhostNodePorts } from '#proxy/kernel-settings.ts'
import { planService } from '#proxy/plan/plan.ts'
import { type Family, type NodePlace, viewService, viewSlice } from '#proxy/state.ts'
import { need } from '#test/need.ts'
import { modes, type ProxyTestMode } from '#test/proxy-modes.ts'
import { at, cluster, nodePort, probe, type To } from '#test/proxy-probe.ts'
import { addresses, createProxyTopology, type Name } from '#test/proxy-topology.ts'
import type { Tally, Topology } from '#test/topology.ts'
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

/** `ipvs`: what that mode does instead, since a virtual server of the kernel is the same for all clients. */
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

const needIptables = { root: true, programs: ['iptables', 'ip6tables'] }
const needIpvs = { ...needIptables, files: ['/proc/sys/net/ipv4/vs'] }

/** `names`: of modes in proxy-modes.ts. */
export function packets(names: readonly string[]): void {
  for (const mode of modes.filter(({ name }) => names.includes(name))) testMode(mode)
}

const testMode = ({ name, open }: ProxyTestMode) =>
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
