// Two networks on the same nodes, each with a VNI of its own: what the VNI keeps apart on the wire, and the wall within a node.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect } from '#client/client.ts'
import { createNetns, deleteNetns } from '#kernel/netns.ts'
import { openRoute } from '#kernel/route/open-route.ts'
import { defaultBackend } from '#flannel/network-config.ts'
import { FakeKubernetes } from '#test/fake-kubernetes.ts'
import { knowEachOther, makeNodes, serveInPod, talk, type TestNode, tcpBytes, untilTrue } from '#test/flannel-nodes.ts'
import { need } from '#test/need.ts'

const skip = need({ root: true, programs: ['ip', 'bridge', 'iptables', 'python3'] })

const wall = { isolateFrom: ['10.244.0.0/16'], annotationPrefix: 'b.example.com' }

/** A second network, 10.245.0.0/16 with VNI 2, and a pod in it on each node. */
async function secondNetwork(nodes: readonly TestNode[]) {
  await using started = new AsyncDisposableStack()
  const server = started.use(await FakeKubernetes.start())
  const client = connect({ server: server.url })
  started.defer(() => client.close())
  const networks = { 4: '10.245.0.0/16' }
  const tenants = nodes.map((node, i): TestNode => {
    const podNetns = `${node.podNetns}-b`
    createNetns(podNetns)
    started.defer(() => void deleteNetns(podNetns))
    server.put('nodes', { metadata: { name: node.name }, spec: { podCIDRs: [`10.245.${i}.0/24`] } })
    using route = openRoute(node.netns)
    route.addBridge({ name: 'cni-b', up: true })
    route.addAddress({ link: 'cni-b', cidr: `10.245.${i}.1/24` })
    const peer = { name: 'eth0', up: true }
    route.addVeth({ name: 'veth-b', mtu: 1450, master: 'cni-b', up: true, peer, peerNetns: podNetns })
    using pod = openRoute(podNetns)
    pod.addAddress({ link: 'eth0', cidr: `10.245.${i}.2/24` })
    pod.replaceRoute({ destination: 'default', via: `10.245.${i}.1` })
    return { ...node, podNetns, pod: { 4: `10.245.${i}.2`, 6: '' } }
  })
  const flannels = nodes.map((node) => {
    const config = { networks, backend: { ...defaultBackend, vni: 2 }, rules: 'iptables' as const }
    const keeper = { kind: 'kubernetes', client } as const
    return started.use(node.start({}, { keeper, config, subnetFile: `${node.folder}/b/subnet.env`, ...wall }))
  })
  await knowEachOther(flannels, [4], nodes.length - 1)
  const stack = started.move()
  return { tenants, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

test('two VNIs on the same nodes cannot reach each other', { skip }, async () => {
  await using cluster = await makeNodes({ count: 2 })
  const [one, two] = cluster.nodes as [TestNode, TestNode]
  await using first = one.start({ type: 'vxlan' })
  await using second = two.start({ type: 'vxlan' })
  await knowEachOther([first, second], [4], 1)
  for (const node of cluster.nodes) node.connectPod()
  await using b = await secondNetwork(cluster.nodes)
  const [oneB, twoB] = b.tenants as [TestNode, TestNode]
  await using _server = await serveInPod(two)
  await using _serverB = await serveInPod(twoB)
  await using _near = await serveInPod(oneB)
  const reaches = (from: TestNode, to: string) => talk(from, to, []).tcp === tcpBytes
  const isCut = (from: TestNode, to: string) => talk(from, to, [], 0.7).tcp === 0
  assert.ok(reaches(one, two.pod[4]), 'within the first network')
  assert.ok(reaches(oneB, twoB.pod[4]), 'within the second network')
  await untilTrue(
    () => one.show('iptables-save').includes(':FLANNEL-WALL'),
    () => one.show('iptables-save'),
  )
  assert.match(one.show('iptables', '-S', 'FORWARD'), /^-P FORWARD ACCEPT\n-A FORWARD .*-j FLANNEL-WALL-[0-9a-f]{8}\n/)
  assert.ok(isCut(one, twoB.pod[4]), 'to the other network on another node')
  assert.ok(isCut(one, oneB.pod[4]), 'to the other network on the same node')
  assert.ok(isCut(oneB, two.pod[4]), 'and back')

  // Without the wall the node routes; the VNI still stands: what is sent by the first network's device, even to the right
  // hardware address of the second's, never comes out of it.
  for (const node of cluster.nodes) node.exec('iptables', '-I', 'FORWARD', '-j', 'ACCEPT')
  assert.ok(reaches(one, twoB.pod[4]), 'a node routes between its devices')
  const mac = /lladdr (\S+)/.exec(one.exec('ip', 'neigh', 'show', 'dev', 'flannel.2'))![1]!
  for (const words of [
    ['ip', 'route', 'add', '10.245.1.2/32', 'via', '10.245.1.0', 'dev', 'flannel.1', 'onlink'],
    ['ip', 'neigh', 'add', '10.245.1.0', 'lladdr', mac, 'dev', 'flannel.1'],
    ['bridge', 'fdb', 'append', mac, 'dev', 'flannel.1', 'dst', two.ips[4]],
  ])
    one.exec(...words)
  assert.ok(isCut(one, twoB.pod[4]), 'in the wrong VNI')
})
