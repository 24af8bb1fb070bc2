// Pods reach pods on other nodes in each back end, both families, with small and full-size packets, and the kernel's
// pictures of each.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  execInPod,
  knowEachOther,
  makeNodes,
  serveInPod,
  talk,
  tcpBytes,
  untilTrue,
  type TestNode,
} from '#test/flannel-nodes.ts'
import { need } from '#test/need.ts'

const needsEthtool = need({ root: true, programs: ['ip', 'ethtool', 'iptables', 'python3'] })
const skip = need({ root: true, programs: ['ip', 'bridge', 'iptables', 'python3'], files: ['/dev/net/tun'] })

for (const [type, mtu] of [
  ['host-gw', 1500],
  ['vxlan', 1430],
  ['udp', 1452],
] as const)
  test(`${type}: TCP and UDP, small and full-size, IPv4 and IPv6`, { skip }, async () => {
    await using cluster = await makeNodes({ count: 2, families: [4, 6] })
    const [one, two] = cluster.nodes as [TestNode, TestNode]
    await using first = one.start({ type })
    await using second = two.start({ type })
    await knowEachOther([first, second], [4, 6], 1)
    assert.match(one.subnetFile(), new RegExp(`^FLANNEL_MTU=${mtu}$`, 'm'))
    for (const node of cluster.nodes) node.connectPod()
    await using _server = await serveInPod(two)
    for (const family of [4, 6] as const) {
      const full = mtu - (family === 4 ? 28 : 48)
      // One byte more, and much more: the sender cuts them in pieces.
      const sizes = [1, 100, full, full + 1, 9000]
      assert.deepEqual(talk(one, two.pod[family], sizes), { tcp: tcpBytes, udp: sizes })
    }
  })

test(
  'vxlan: checksums are made at once where it is asked for, and again when somebody turns them off',
  { skip: needsEthtool },
  async () => {
    await using cluster = await makeNodes({ count: 2 })
    const [one, two] = cluster.nodes as [TestNode, TestNode]
    await using first = one.start({ type: 'vxlan' }, { checksumOffload: 'off' })
    await using second = two.start({ type: 'vxlan' })
    await knowEachOther([first, second], [4], 1)
    const offload = (node: TestNode) =>
      /tx-checksum-ip-generic: (\w+)/.exec(node.show('ethtool', '-k', 'flannel.1'))?.[1]
    assert.deepEqual([offload(one), offload(two)], ['off', 'on'])
    for (const node of cluster.nodes) node.connectPod()
    await using _server = await serveInPod(two)
    assert.deepEqual(talk(one, two.pod[4], [1, 1422, 9000]), { tcp: tcpBytes, udp: [1, 1422, 9000] })
    one.exec('ethtool', '-K', 'flannel.1', 'tx-checksum-ip-generic', 'on')
    await untilTrue(
      () => offload(one) === 'off',
      () => first.lines.join('\n'),
    )
  },
)

test('udp: the device comes back, with its thread; what nobody has is unreachable at once', { skip }, async () => {
  await using cluster = await makeNodes({ count: 2 })
  const [one, two] = cluster.nodes as [TestNode, TestNode]
  await using first = one.start({ type: 'udp' })
  await using second = two.start({ type: 'udp' })
  await knowEachOther([first, second], [4], 1)
  for (const node of cluster.nodes) node.connectPod()
  await using _server = await serveInPod(two)
  const picture = () => {
    const link = /mtu (\d+).*\n.*\n? *tun type (\w+)/.exec(one.show('ip', '-d', 'link', 'show', 'flannel0'))
    const address = /inet (\S+)/.exec(one.show('ip', '-4', 'addr', 'show', 'flannel0'))
    const lines = one.show('ip', 'route').split('\n')
    return [link?.slice(1), address?.[1], lines.filter((line) => line.includes('flannel0')).map((line) => line.trim())]
  }
  const want = [['1472', 'tun'], '10.244.0.0/32', ['10.244.0.0/16 dev flannel0 scope link']]
  const settle = async () => {
    await untilTrue(
      () => JSON.stringify(picture()) === JSON.stringify(want),
      () => `${JSON.stringify(picture())}\n${first.lines.join('\n')}`,
    )
    assert.deepEqual(talk(one, two.pod[4], [1, 1400]), { tcp: tcpBytes, udp: [1, 1400] })
  }
  await settle()
  for (const words of [
    'ip link del flannel0',
    'ip link set flannel0 down',
    'ip addr flush dev flannel0',
    'ip route del 10.244.0.0/16',
    'ip link set flannel0 mtu 1300',
  ]) {
    one.exec(...words.split(' '))
    await settle()
  }
  // The kernel of the pod hears it from flannel0: the connection does not wait for its time-out.
  const { stdout } = execInPod(one, 'python3', '-c', unreachableText)
  assert.equal(stdout.trim(), 'ENETUNREACH')
  assert.match(first.registry.render(), /flannel_udp_packets\{device="flannel0",what="no_peer"\} [1-9]/)
  cluster.server.remove('nodes', { name: 'node-2' })
  await knowEachOther([first], [4], 0)
  assert.equal(talk(one, two.pod[4], []).tcp, 0)
})

const unreachableText = `
import errno, socket
try: socket.create_connection(('10.244.77.1', 80), 20)
except OSError as error: print(errno.errorcode[error.errno])
`
