// What goes on between two nodes while others come, go, and are replaced.
import * as assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { withNetns } from '#kernel/netns.ts'
import { knowEachOther, makeNodes, type Nodes, serveInPod, type TestNode, untilTrue } from '#test/flannel-nodes.ts'
import { need } from '#test/need.ts'

const skip = need({ root: true, programs: ['ip', 'bridge', 'python3'], files: ['/dev/net/tun'] })
const isSoak = process.env['FAIRWAY_SOAK'] === '1'

for (const [type, seconds] of [
  ['vxlan', isSoak ? 60 : 5],
  ['host-gw', isSoak ? 60 : 2],
  ['udp', isSoak ? 60 : 2],
] as const)
  test(
    `${type}: no packet is lost between two nodes while 50 others come and go${type === 'udp' ? '' : ' and flannel starts again on both'}`,
    { skip, timeout: 150_000 },
    async () => {
      await using cluster = await makeNodes({ count: 2 })
      const [one, two] = cluster.nodes as [TestNode, TestNode]
      let [first, second] = [one.start({ type }), two.start({ type })]
      await using _flannels = {
        [Symbol.asyncDispose]: () => Promise.all([first.stop(), second.stop()]).then(() => undefined),
      }
      await knowEachOther([first, second], [4], 1)
      for (const node of cluster.nodes) node.connectPod()
      await using _server = await serveInPod(two)
      const sender = withNetns(one.podNetns, () =>
        spawn('python3', ['-c', streamText, two.pod[4]], { stdio: ['pipe', 'pipe', 'inherit'] }),
      )
      let said = ''
      sender.stdout.on('data', (data) => (said += String(data)))
      const ended = once(sender, 'close')
      const endMs = performance.now() + seconds * 1000
      for (let change = 0; change < 100 || performance.now() < endMs; change++) {
        const n = change % 100
        if (n < 50) comes(cluster, type, n)
        else cluster.server.remove('nodes', { name: `other-${n - 50}` })
        await sleep(seconds * 8)
        // What carries the packets of udp is the process itself; of the others it is the kernel.
        if (type === 'udp' || n % 40 !== 30) continue
        await first.stop()
        first = one.start({ type })
        await second.stop()
        second = two.start({ type })
      }
      sender.stdin.end()
      await ended
      const { sent, lost } = JSON.parse(said) as { sent: number; lost: number[] }
      assert.deepEqual(lost, [], `of ${sent}: ${first.lines.slice(-20).join(' / ')}`)
    },
  )

const comes = (cluster: Nodes, type: string, n: number) =>
  cluster.lease(`other-${n}`, `10.244.${100 + n}.0/24`, `10.168.0.${100 + n}`, type, dataOf(n))
const dataOf = (n: number) => JSON.stringify({ VNI: 1, VtepMAC: `0e:00:00:00:00:${n.toString(16).padStart(2, '0')}` })

test('vxlan: a node that is replaced under its name leaves nothing behind', { skip }, async () => {
  await using cluster = await makeNodes({ count: 1 })
  const [node] = cluster.nodes as [TestNode]
  const pictureOf = () =>
    [
      ...node.show('ip', 'neigh', 'show', 'dev', 'flannel.1').split('\n'),
      ...node.show('bridge', 'fdb', 'show', 'dev', 'flannel.1').split('\n'),
      ...node.show('ip', 'route', 'show', 'dev', 'flannel.1').split('\n'),
    ]
      .map((line) => line.trim())
      .filter((line) => line !== '')
  const want = (subnet: string, mac: string, ip: string) => [
    `${subnet} lladdr ${mac} PERMANENT`,
    `${mac} dst ${ip} self permanent`,
    `${subnet}/24 via ${subnet} onlink`,
  ]
  const settle = (lines: readonly string[], flannel: { readonly lines: readonly string[] }) =>
    untilTrue(
      () => JSON.stringify(pictureOf()) === JSON.stringify(lines),
      () => `${pictureOf().join('\n')}\n${flannel.lines.join('\n')}`,
    )
  {
    await using flannel = node.start({ type: 'vxlan' })
    cluster.lease('other', '10.244.7.0/24', '10.168.0.7', 'vxlan', dataOf(7))
    await settle(want('10.244.7.0', '0e:00:00:00:00:07', '10.168.0.7'), flannel)
    // The same machine with a new device, on another address, with another range.
    cluster.lease('other', '10.244.7.0/24', '10.168.0.7', 'vxlan', dataOf(8))
    await settle(want('10.244.7.0', '0e:00:00:00:00:08', '10.168.0.7'), flannel)
    cluster.lease('other', '10.244.7.0/24', '10.168.0.9', 'vxlan', dataOf(8))
    await settle(want('10.244.7.0', '0e:00:00:00:00:08', '10.168.0.9'), flannel)
    cluster.lease('other', '10.244.9.0/24', '10.168.0.9', 'vxlan', dataOf(8))
    await settle(want('10.244.9.0', '0e:00:00:00:00:08', '10.168.0.9'), flannel)
  }
  // Replaced while this node's flannel was away.
  cluster.lease('other', '10.244.11.0/24', '10.168.0.11', 'vxlan', dataOf(11))
  await using again = node.start({ type: 'vxlan' })
  await settle(want('10.244.11.0', '0e:00:00:00:00:0b', '10.168.0.11'), again)
})

test('a change of back end leaves nothing of the old one', { skip }, async () => {
  await using cluster = await makeNodes({ count: 1 })
  const [node] = cluster.nodes as [TestNode]
  const lines = () =>
    [
      ...node.show('ip', '-o', 'link').matchAll(/(?<=: )flannel[.0-9]+(?=:)/g),
      ...node.show('ip', 'route').matchAll(/10\.244\.7\.0\/24.*|10\.244\.0\.0\/16.*/g),
    ].map(([text]) => text.trim())
  for (const [type, want] of [
    ['vxlan', ['flannel.1', '10.244.7.0/24 via 10.244.7.0 dev flannel.1 onlink']],
    ['udp', ['flannel0', '10.244.0.0/16 dev flannel0 scope link']],
    ['host-gw', ['10.244.7.0/24 via 10.168.0.7 dev eth0']],
    ['vxlan', ['flannel.1', '10.244.7.0/24 via 10.244.7.0 dev flannel.1 onlink']],
  ] as const) {
    cluster.lease('other', '10.244.7.0/24', '10.168.0.7', type, dataOf(7))
    await using flannel = node.start({ type })
    await untilTrue(
      () => JSON.stringify(lines()) === JSON.stringify(want),
      () => `${type}:\n${lines().join('\n')}\n${flannel.lines.join('\n')}`,
    )
  }
})

/** Sends 1,000 numbered datagrams a second until its input ends, each of which comes back; prints those that did not. */
const streamText = `
import json, socket, sys, threading, time
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.setsockopt(socket.SOL_SOCKET, 33, 8 << 20) # SO_RCVBUFFORCE
sock.connect((sys.argv[1], 8081))
back, sent, over = set(), 0, threading.Event()
def receive():
    while True: back.add(int(sock.recv(100)))
threading.Thread(target=receive, daemon=True).start()
threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
start = time.monotonic()
while not over.is_set():
    sock.send(b'%d' % sent)
    sent += 1
    time.sleep(max(0, start + sent / 1000 - time.monotonic()))
end = time.monotonic() + 10
while len(back) < sent and time.monotonic() < end: time.sleep(0.01)
print(json.dumps({'sent': sent, 'lost': sorted(set(range(sent)) - back)[:20]}))
`
