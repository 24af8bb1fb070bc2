// Makes each network in turn and measures it.
import { knowEachOther, makeNodes, type TestNode } from '#test/flannel-nodes.ts'
import { openRoute } from '#kernel/route/open-route.ts'
import type { Figures } from '../bench.ts'
import type { Wanted } from '../pod-network.ts'
import { measure, type Measured } from './measure.ts'
import { connectByFlanneld } from './flanneld.ts'

const { seconds, peers, flanneld } = JSON.parse(process.argv[2]!) as Wanted
const figures: Figures = {}
const peerFigures: Figures = {}
const say = (name: string, { gbit, gbit8, rttUs, cpuNsPerByte }: Measured) =>
  console.log(
    `${name.padEnd(22)} ${gbit.toFixed(2)} Gbit/s, 8 flows ${gbit8.toFixed(2)}, ${rttUs.toFixed(0)} us, ${cpuNsPerByte.toFixed(2)} ns/byte`,
  )
const note = (into: Figures, key: string, { gbit, gbit8, rttUs, cpuNsPerByte }: Measured) =>
  Object.assign(into, {
    [`${key}_gbit`]: gbit,
    [`${key}_8_gbit`]: gbit8,
    [`${key}_rtt_us`]: rttUs,
    [`${key}_cpu_ns_per_byte`]: cpuNsPerByte,
  })

/** Two nodes whose pods reach each other by what `connect` makes. */
async function podToPod(mtu: number, connect: (nodes: readonly [TestNode, TestNode]) => Promise<AsyncDisposable>) {
  await using cluster = await makeNodes({ count: 2 })
  const nodes = cluster.nodes as unknown as [TestNode, TestNode]
  await using _network = await connect(nodes)
  for (const node of nodes) node.connectPod(mtu)
  return await measure(nodes[0].podNetns, nodes[1].podNetns, nodes[1].pod[4], seconds)
}

const types = [
  ['host-gw', 'hostgw', 1500],
  ['vxlan', 'vxlan', 1450],
  ['udp', 'udp', 1472],
] as const

{
  await using cluster = await makeNodes({ count: 2 })
  const [one, two] = cluster.nodes as [TestNode, TestNode]
  const measured = await measure(one.netns, two.netns, two.ips[4], seconds)
  say('node to node', measured)
  note(figures, 'node', measured)
}
for (const [type, key, mtu] of types) {
  const ours = await podToPod(mtu, async (nodes) => {
    const flannels = nodes.map((node) => node.start({ type }, { rulesResyncMs: 5000 }))
    await knowEachOther(flannels, [4], 1)
    return { [Symbol.asyncDispose]: async () => void (await Promise.all(flannels.map(({ stop }) => stop()))) }
  })
  say(type, ours)
  note(figures, key, ours)
  figures[`${key}_ratio`] = ours.gbit / figures['node_gbit']!
  if (type !== 'udp') {
    const hand = await podToPod(mtu, async (nodes) => byHand(type, nodes))
    say(`${type} by hand`, hand)
    note(figures, `hand_${key}`, hand)
    figures[`${key}_to_hand_ratio`] = ours.gbit / hand.gbit
  }
  if (flanneld === undefined) continue
  const theirs = await podToPod(mtu, (nodes) => connectByFlanneld(flanneld, type, nodes))
  say(`${type} by flanneld`, theirs)
  note(peerFigures, key, theirs)
}
await joinAndRepair()
console.log(JSON.stringify({ figures, ...(flanneld !== undefined && { peers: { flanneld: peerFigures } }) }))
process.exit(0)

/** What the kernel itself costs: the same links, routes and entries by `ip` and `bridge`, and no firewall rules. */
function byHand(type: 'host-gw' | 'vxlan', nodes: readonly [TestNode, TestNode]): AsyncDisposable {
  for (const [node, other] of [nodes, nodes.toReversed()] as [TestNode, TestNode][]) {
    const [base, peerBase] = [node, other].map(({ subnets }) => subnets[4].split('/')[0]!) as [string, string]
    const lines = {
      'host-gw': [`ip route add ${other.subnets[4]} via ${other.ips[4]}`],
      vxlan: [
        `ip link add vx1 address ${macOf(node)} type vxlan id 1 local ${node.ips[4]} dev eth0 dstport 8472 nolearning noudpcsum`,
        `ip addr add ${base}/32 dev vx1`,
        'ip link set vx1 up mtu 1450',
        `ip neigh add ${peerBase} lladdr ${macOf(other)} dev vx1 nud permanent`,
        `bridge fdb add ${macOf(other)} dev vx1 dst ${other.ips[4]}`,
        `ip route add ${other.subnets[4]} via ${peerBase} dev vx1 onlink`,
      ],
    }[type]
    for (const line of lines) node.exec(...line.split(' '))
  }
  return { [Symbol.asyncDispose]: async () => undefined }
}
function macOf({ name }: TestNode): string {
  return `0e:00:00:00:00:0${name.at(-1)}`
}

/** A node among 99 others: from its start to every way there, one more node, and a device that somebody deletes. */
async function joinAndRepair(): Promise<void> {
  await using cluster = await makeNodes({ count: 1 })
  const [node] = cluster.nodes as [TestNode]
  const come = (n: number) =>
    cluster.lease(`other-${n}`, `10.244.${100 + n}.0/24`, `10.168.0.${100 + n}`, 'vxlan', dataOf(n))
  for (let n = 0; n < peers; n++) come(n)
  using route = openRoute(node.netns)
  const ways = () => (route.link('flannel.1') === undefined ? 0 : route.routes({ family: 4, link: 'flannel.1' }).length)
  const msUntil = async (count: number, act: () => void) => {
    const startMs = performance.now()
    act()
    while (ways() < count) await new Promise((resolve) => setImmediate(resolve))
    return performance.now() - startMs
  }
  let flannel: ReturnType<TestNode['start']>
  figures['join_ms'] = await msUntil(peers, () => (flannel = node.start({ type: 'vxlan' })))
  figures['learn_ms'] = await msUntil(peers + 1, () => come(peers))
  await new Promise((resolve) => setTimeout(resolve, 500))
  figures['repair_ms'] = await msUntil(peers + 1, () => void route.deleteLink('flannel.1'))
  await flannel!.stop()
}
function dataOf(n: number): string {
  return JSON.stringify({ VNI: 1, VtepMAC: `0e:00:00:00:01:${n.toString(16).padStart(2, '0')}` })
}
