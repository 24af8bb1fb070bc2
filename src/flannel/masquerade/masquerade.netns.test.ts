// The rules in both forms: what they do to packets, that they come back, and that of two forms only one is there.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultBackend } from '#flannel/network-config.ts'
import { execInPod, knowEachOther, makeNodes, type TestNode, untilTrue } from '#test/flannel-nodes.ts'
import { need } from '#test/need.ts'
import { pythonServer } from '#test/python-server.ts'

const skip = need({ root: true, programs: ['ip', 'bridge', 'iptables', 'nft', 'python3'] })

const networks = { 4: '10.244.0.0/16', 6: 'fd00:10:244::/56' }
const configOf = (rules: 'iptables' | 'nftables') => ({
  config: { networks, backend: { ...defaultBackend, type: 'host-gw' }, rules },
})
const marks = { iptables: 'FLANNEL-POSTRTG', nftables: 'table ip6 flannel-ipv6 ' } as const
const rulesOf = (node: TestNode) =>
  node.show('iptables-save') + node.show('ip6tables-save') + node.show('nft', 'list', 'ruleset')

for (const form of ['iptables', 'nftables'] as const)
  test(`${form}: pods reach the world by the node's address, and each other by their own`, { skip }, async () => {
    await using cluster = await makeNodes({ count: 2, families: [4, 6] })
    const [one, two] = cluster.nodes as [TestNode, TestNode]
    const flannels = cluster.nodes.map((node) => node.start({}, configOf(form)))
    await using started = new AsyncDisposableStack()
    for (const flannel of flannels) started.use(flannel)
    await knowEachOther(flannels, [4, 6], 1)
    for (const node of cluster.nodes) node.connectPod()
    await untilTrue(
      () => cluster.nodes.every((node) => rulesOf(node).includes(marks[form])),
      () => flannels.map(({ lines }) => lines.join('\n')).join('\n\n'),
    )
    started.use(await whoAsks(two.podNetns))
    started.use(await whoAsks(two.netns))
    const asked = (from: TestNode, to: string) => execInPod(from, 'python3', '-c', askText, to).stdout.trim()
    for (const family of [4, 6] as const) {
      assert.equal(asked(one, two.pod[family]), canonical(one.pod[family]), 'pod to pod')
      assert.equal(asked(one, two.ips[family]), canonical(one.ips[family]), 'pod to what is no pod')
      const fromNode = withNode(one, two.pod[family])
      assert.equal(fromNode, canonical(one.ips[family]), 'node to pod')
    }
  })

test('nftables: the tables that flannel has, kept as they should be', { skip }, async () => {
  await using cluster = await makeNodes({ count: 1, families: [4, 6] })
  const [node] = cluster.nodes as [TestNode]
  await using flannel = node.start({}, configOf('nftables'))
  const want = `table ip flannel-ipv4 {
	comment "pod network 10.244.0.0/16"
	chain postrtg {
		comment "pods talk to the world by the address of the node"
		type nat hook postrouting priority srcnat; policy accept;
		meta mark & 0x00004000 == 0x00004000 return
		ip saddr 10.244.0.0/24 ip daddr 10.244.0.0/16 return
		ip saddr 10.244.0.0/16 ip daddr 10.244.0.0/24 return
		ip saddr != 10.244.0.0/16 ip daddr 10.244.0.0/24 return
		ip saddr 10.244.0.0/16 ip daddr != 224.0.0.0/4 masquerade fully-random
		ip saddr != 10.244.0.0/16 ip daddr 10.244.0.0/16 masquerade fully-random
	}

	chain forward {
		comment "what is from or to pods"
		type filter hook forward priority filter; policy accept;
		ip saddr 10.244.0.0/16 accept
		ip daddr 10.244.0.0/16 accept
	}
}
`
  const table = () => node.show('nft', 'list', 'table', 'ip', 'flannel-ipv4')
  const settle = () =>
    untilTrue(
      () => table() === want && node.show('nft', 'list', 'ruleset').includes('ip6 daddr fd00:10:244::/56 accept'),
      () => `${table()}\n${flannel.lines.join('\n')}`,
    )
  await settle()
  for (const words of [
    'delete table ip flannel-ipv4',
    'flush chain ip flannel-ipv4 postrtg',
    'insert rule ip flannel-ipv4 forward drop',
    'flush ruleset',
  ]) {
    node.exec('nft', ...words.split(' '))
    await settle()
  }
  assert.ok(flannel.lines.includes('Rules recovered: flannel-ipv4'), flannel.lines.join('\n'))
})

test('whoever changes the form finds nothing left of the other', { skip }, async () => {
  await using cluster = await makeNodes({ count: 1, families: [4, 6] })
  const [node] = cluster.nodes as [TestNode]
  node.exec('iptables', '-t', 'nat', '-A', 'POSTROUTING', '-s', '192.0.2.0/24', '-j', 'MASQUERADE')
  for (const form of ['iptables', 'nftables', 'iptables'] as const) {
    await using flannel = node.start({}, configOf(form))
    const other = form === 'iptables' ? 'nftables' : 'iptables'
    const isDone = () =>
      rulesOf(node).includes(marks[form]) && !/FLANNEL|flannel-/.test(rulesOf(node).replaceAll(ours[form], ''))
    await untilTrue(isDone, () => `${form}, not ${other}:\n${rulesOf(node)}\n${flannel.lines.join('\n')}`)
  }
  assert.match(node.show('iptables-save'), /-A POSTROUTING -s 192\.0\.2\.0\/24 -j MASQUERADE/)
})
const ours = { iptables: /FLANNEL-(POSTRTG|FWD)/g, nftables: /table ip6? flannel-ipv[46] /g } as const

const canonical = (ip: string) => ip.replace(':0::', '::')

function withNode(node: TestNode, to: string): string {
  return node.exec('python3', '-c', askText, to).trim()
}

/** Tells everyone who connects to port 8080 what address they come from. */
const whoAsks = (netns: string): Promise<AsyncDisposable> => pythonServer(netns, tellText)
const tellText = `
import socket
listener = socket.create_server(('', 8080), family=socket.AF_INET6, dualstack_ipv6=True)
print('ready', flush=True)
while True:
    connection, sender = listener.accept()
    connection.sendall(sender[0].removeprefix('::ffff:').encode())
    connection.close()
`
const askText = `
import socket, sys
connection = socket.create_connection((sys.argv[1], 8080), 10)
print(connection.recv(99).decode())
`
