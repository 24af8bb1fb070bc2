// Makes all networks of a back end at once and measures them in turn, round by round, so that what else goes on in the
// machine meets all of them alike: figures are medians of the rounds, ratios medians of the rounds' own ratios.
import { defaultBackend } from '#flannel/network-config.ts'
import { knowEachOther, makeNodes, type TestNode } from '#test/flannel-nodes.ts'
import { percentile, type Figures } from '../bench.ts'
import type { Wanted } from '../pod-network.ts'
import { connectByFlanneld } from './flanneld.ts'
import { joinAndRepair } from './join.ts'
import { openPath, type Measured, type Path } from './measure.ts'

const { seconds, rounds, peers, backEnds, flanneld } = JSON.parse(process.argv[2]!) as Wanted
type Pair = readonly [TestNode, TestNode]

const types = [
  ['host-gw', 'hostgw', 1500],
  ['vxlan', 'vxlan', 1450],
  ['udp', 'udp', 1472],
] as const
type Type = (typeof types)[number][0]

const figures: Figures = {}
const peerFigures: Figures = {}
const median = (values: readonly number[]) => percentile([...values], 0.5)

Object.assign(figures, await joinAndRepair(peers, rounds))
for (const [type, key, mtu] of types) {
  if (backEnds?.includes(type) === false) continue
  await using started = new AsyncDisposableStack()
  const ways: { readonly name: string; readonly path: Path; readonly rounds: Measured[] }[] = []
  const add = async (name: string, connect?: (nodes: Pair) => Promise<AsyncDisposable>) => {
    const nodes = started.use(await makeNodes({ count: 2 })).nodes as unknown as Pair
    if (connect !== undefined) started.use(await connect(nodes))
    for (const node of nodes) if (connect !== undefined) node.connectPod(mtu)
    const [from, to] = nodes
    const path =
      connect === undefined
        ? await openPath(from.netns, to.netns, to.ips[4])
        : await openPath(from.podNetns, to.podNetns, to.pod[4])
    ways.push({ name, path: started.use(path), rounds: [] })
  }
  await add('node to node')
  await add(type, (nodes) => connectByFairway(type, nodes))
  if (type !== 'udp') {
    await add(`${type} by hand`, async (nodes) => connectByHand(type, nodes))
    await add(`${type} by hand, bare`, async (nodes) => connectByHand(type, nodes, { isBare: true }))
  }
  if (flanneld !== undefined) await add(`${type} by flanneld`, (nodes) => connectByFlanneld(flanneld, type, nodes))
  for (let round = 0; round < rounds; round++)
    for (let turn = 0; turn < ways.length; turn++) {
      const way = ways[(round + turn) % ways.length]!
      way.rounds.push(await way.path.measure(seconds))
    }
  const of = (name: string) => ways.find((way) => way.name === name)?.rounds
  const ours = of(type)!
  for (const { name, rounds: measured } of ways) say(name, measured)
  if (type === 'host-gw') note(figures, 'node', of('node to node')!)
  note(figures, key, ours)
  figures[`${key}_ratio`] = ratio(ours, of('node to node')!)
  const [hand, bare] = [of(`${type} by hand`), of(`${type} by hand, bare`)]
  if (hand !== undefined && bare !== undefined) {
    figures[`${key}_to_bare_ratio`] = ratio(ours, bare)
    note(figures, `hand_${key}`, hand)
    figures[`${key}_to_hand_ratio`] = ratio(ours, hand)
    figures[`${key}_8_to_hand_ratio`] = ratio(ours, hand, 'gbit8')
    figures[`${key}_cpu_to_hand_ratio`] = ratio(ours, hand, 'cpuNsPerByte')
  }
  const theirs = of(`${type} by flanneld`)
  if (theirs === undefined) continue
  note(peerFigures, key, theirs)
  figures[`${key}_to_flanneld_ratio`] = ratio(ours, theirs)
}
console.log(JSON.stringify({ figures, ...(flanneld !== undefined && { peers: { flanneld: peerFigures } }) }))
process.exit(0)

function ratio(ours: readonly Measured[], theirs: readonly Measured[], key: keyof Measured = 'gbit'): number {
  return median(ours.map((one, round) => one[key] / theirs[round]![key]))
}

function say(name: string, measured: readonly Measured[]): void {
  const of = (key: keyof Measured) => median(measured.map((one) => one[key]))
  console.log(
    `${name.padEnd(22)} ${of('gbit').toFixed(2)} Gbit/s, 8 flows ${of('gbit8').toFixed(2)}, ${of('rttUs').toFixed(0)} us, ${of('cpuNsPerByte').toFixed(2)} ns/byte`,
  )
}

function note(into: Figures, key: string, measured: readonly Measured[]): void {
  into[`${key}_gbit`] = median(measured.map(({ gbit }) => gbit))
  into[`${key}_8_gbit`] = median(measured.map(({ gbit8 }) => gbit8))
  into[`${key}_rtt_us`] = median(measured.map(({ rttUs }) => rttUs))
  into[`${key}_cpu_ns_per_byte`] = median(measured.map(({ cpuNsPerByte }) => cpuNsPerByte))
}

/** With its rules in nftables, as `up` has them. */
async function connectByFairway(type: Type, nodes: Pair): Promise<AsyncDisposable> {
  const networks = { 4: '10.244.0.0/16' }
  const config = { networks, backend: { ...defaultBackend, type }, rules: 'nftables' as const }
  const flannels = nodes.map((node) => node.start({}, { config, rulesResyncMs: 5000 }))
  await knowEachOther(flannels, [4], 1)
  return { [Symbol.asyncDispose]: async () => void (await Promise.all(flannels.map(({ stop }) => stop()))) }
}

/**
 * What the kernel itself costs: the same links, routes and entries by `ip` and `bridge`, and a rule that masquerades what leaves
 * the network, without which pods reach nothing else; with it the kernel tracks connections. `isBare`: without it.
 */
function connectByHand(type: 'host-gw' | 'vxlan', nodes: Pair, { isBare = false } = {}): AsyncDisposable {
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
    const rule = 'iptables -t nat -A POSTROUTING -s 10.244.0.0/16 ! -d 10.244.0.0/16 -j MASQUERADE'
    for (const line of isBare ? lines : [...lines, rule]) node.exec(...line.split(' '))
  }
  return { [Symbol.asyncDispose]: async () => undefined }
}
function macOf({ name }: TestNode): string {
  return `0e:00:00:00:00:0${name.at(-1)}`
}
