// What comes back of packets that nobody takes, and what the sender sees of it.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { clientSees } from '#trace/client.ts'
import { renderWay } from '#trace/outcome.ts'
import { firstPacket } from '#trace/packet.ts'
import { readWorld } from '#trace/read/read-world.ts'
import { traceWorld } from '#trace/trace.ts'
import { errorOf, refusalOf } from '#trace/refusal.ts'

const pod = (name: string, nodeName: string, podIP: string) => ({
  kind: 'Pod',
  metadata: { name, namespace: 'default' },
  spec: { nodeName },
  status: { phase: 'Running', podIP },
})
const node = (number: number) => [
  {
    file: `nodes/node-${number}/ip-addr.txt`,
    text: `2: eth0: <UP,LOWER_UP> mtu 1500\n    inet 10.168.0.${number}/24 scope global eth0\n3: cni0: <UP,LOWER_UP> mtu 1500\n    inet 10.244.${number}.1/24 scope global cni0\n`,
  },
  {
    file: `nodes/node-${number}/ip-route.txt`,
    text: `10.168.0.0/24 dev eth0 proto kernel scope link src 10.168.0.${number}\n10.244.${number}.0/24 dev cni0 proto kernel scope link src 10.244.${number}.1\n10.244.${3 - number}.0/24 via 10.168.0.${3 - number} dev eth0\n`,
  },
  { file: `nodes/node-${number}/sysctl.txt`, text: 'net.ipv4.ip_forward = 1\n' },
  { file: `nodes/node-${number}/sockets.txt`, text: '' },
]
const objects = {
  file: 'objects/pods.json',
  text: JSON.stringify({
    kind: 'List',
    apiVersion: 'v1',
    items: [pod('a', 'node-1', '10.244.1.5'), pod('b', 'node-2', '10.244.2.5'), pod('c', 'node-2', '10.244.2.6')],
  }),
}
const socketsOf = (name: string, text: string) => ({ file: `pods/default/${name}/sockets.txt`, text })
const listens = 'tcp LISTEN 0 128 0.0.0.0:80 0.0.0.0:*\ntcp LISTEN 0 128 127.0.0.1:81 0.0.0.0:*\n'
const rules = (filter: string, nat = '') => ({
  file: 'nodes/node-1/iptables-save.txt',
  text: `*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n${filter}COMMIT\n*nat\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n${nat}COMMIT\n`,
})

type Ask = { readonly to: string; readonly port: number; readonly protocol?: string; readonly from?: string }

function trace({ to, port, protocol = 'tcp', from = '10.244.1.5' }: Ask, ...more: { file: string; text: string }[]) {
  const { world, problems } = readWorld([...node(1), ...node(2), objects, socketsOf('b', listens), ...more])
  assert.deepEqual(problems, [])
  const ways = traceWorld(world, {
    packet: firstPacket({ protocol, source: from, destination: to, destinationPort: port }),
  })
  return ways.map((way) => ({ way, sees: clientSees(way) }))
}
const sees = (ask: Ask, ...more: { file: string; text: string }[]) => trace(ask, ...more).map((item) => item.sees)

const toB = '-A PREROUTING -d 10.96.0.1/32 -p tcp -j DNAT --to-destination 10.244.2.5:82\n'

test('listener: who listens answers, a closed port refuses as TCP and UDP do', () => {
  assert.deepEqual(sees({ to: '10.244.2.5', port: 80 }), ['answer'])
  assert.deepEqual(sees({ to: '10.244.2.5', port: 82 }), ['ECONNREFUSED'])
  assert.deepEqual(sees({ to: '10.244.2.5', port: 80, protocol: 'udp' }), ['ECONNREFUSED'])
  const [{ way } = assert.fail()] = trace({ to: '10.244.2.5', port: 81 })
  assert.equal(
    renderWay(way),
    'reaches pod/b at 10.244.2.5:81, where a process listens at the loopback address only: refused with tcp-reset; the client sees "connection refused" (ECONNREFUSED)',
  )
})

test('listener: where nobody tells, the input that would is named', () => {
  const [{ way } = assert.fail()] = trace({ to: '10.244.2.6', port: 80 })
  assert.deepEqual(
    [way.outcome.kind === 'delivered' && way.outcome.listener, way.answer.kind, way.missing],
    ['unknown', 'returns', ['ss -lntu of pod/c']],
  )
})

test('refusals come back through what translated the packet', () => {
  assert.deepEqual(sees({ to: '10.96.0.1', port: 80 }, rules('', toB)), ['ECONNREFUSED'])
  // The node of the sender refuses what was translated already.
  const reject = (how: string) => rules(`-A FORWARD -d 10.244.2.5/32 -j REJECT --reject-with ${how}\n`, toB)
  assert.deepEqual(sees({ to: '10.96.0.1', port: 80 }, reject('icmp-port-unreachable')), ['ECONNREFUSED'])
  assert.deepEqual(sees({ to: '10.96.0.1', port: 80 }, reject('icmp-net-unreachable')), ['ENETUNREACH'])
  assert.deepEqual(sees({ to: '10.96.0.1', port: 80 }, reject('tcp-reset')), ['ECONNREFUSED'])
})

test('refusals are lost like other packets, and who asked waits', () => {
  const drop = rules('-A FORWARD -p icmp -m icmp --icmp-type 3/3 -j DROP\n')
  const [{ way, sees: seen } = assert.fail()] = trace({ to: '10.244.2.5', port: 80, protocol: 'udp' }, drop)
  assert.equal(seen, 'timeout')
  assert.match(renderWay(way), /where nothing listens; but the refusal is dropped by FORWARD on node-1/)
  const state = rules('-A FORWARD -m conntrack --ctstate RELATED -j DROP\n')
  assert.deepEqual(sees({ to: '10.244.2.5', port: 80, protocol: 'udp' }, state), ['timeout'])
  assert.deepEqual(sees({ to: '10.244.2.5', port: 82 }, state), ['ECONNREFUSED'])
})

test('what the machine of the sender itself refuses, its call fails with', () => {
  const routes = {
    file: 'nodes/node-1/more-routes.txt',
    text: 'blackhole 192.0.2.1 proto static\nprohibit 192.0.2.2\nunreachable 192.0.2.3\n',
  }
  const out = rules('-A OUTPUT -d 10.168.0.2/32 -j DROP\n')
  for (const [to, tcp, udp] of [
    ['192.0.2.1', 'EINVAL', 'EINVAL'],
    ['192.0.2.2', 'EACCES', 'EACCES'],
    ['192.0.2.3', 'EHOSTUNREACH', 'EHOSTUNREACH'],
    ['192.0.2.4', 'ENETUNREACH', 'ENETUNREACH'],
    ['10.168.0.2', 'timeout', 'EPERM'],
  ] as const)
    for (const [protocol, want] of [
      ['tcp', tcp],
      ['udp', udp],
    ] as const)
      assert.deepEqual(sees({ to, port: 80, protocol, from: '10.168.0.1' }, routes, out), [want], `${protocol} ${to}`)
})

test('refusals by name: what they are on the wire, and what sockets make of them', () => {
  const packet = firstPacket({ protocol: 'udp', source: '10.0.0.1', destination: '10.0.0.2', destinationPort: 53 })
  const six = firstPacket({ protocol: 'tcp', source: 'fd00::1', destination: 'fd00::2', destinationPort: 53 })
  for (const [about, how, type, code, tcp, udp] of [
    [packet, 'icmp-net-unreachable', 3, 0, 'ENETUNREACH', undefined],
    [packet, 'icmp-host-unreachable', 3, 1, 'EHOSTUNREACH', undefined],
    [packet, 'icmp-proto-unreachable', 3, 2, 'ENOPROTOOPT', 'ENOPROTOOPT'],
    [packet, 'icmp-port-unreachable', 3, 3, 'ECONNREFUSED', 'ECONNREFUSED'],
    [packet, 'icmp-net-prohibited', 3, 9, 'ENETUNREACH', 'ENETUNREACH'],
    [packet, 'icmp-host-prohibited', 3, 10, 'EHOSTUNREACH', 'EHOSTUNREACH'],
    [packet, 'icmp-admin-prohibited', 3, 13, 'EHOSTUNREACH', 'EHOSTUNREACH'],
    [packet, 'icmp-frag-needed', 3, 4, undefined, undefined],
    [six, 'icmp6-no-route', 1, 0, 'ENETUNREACH', undefined],
    [six, 'icmp6-adm-prohibited', 1, 1, 'EACCES', 'EACCES'],
    [six, 'icmp6-addr-unreachable', 1, 3, 'EHOSTUNREACH', undefined],
    [six, 'icmp6-port-unreachable', 1, 4, 'ECONNREFUSED', 'ECONNREFUSED'],
    [six, 'icmp-frag-needed', 2, 0, undefined, undefined],
  ] as const) {
    const sent = refusalOf(about, how)
    assert.deepEqual([sent?.error?.type, sent?.error?.code], [type, code], how)
    const family = about === six ? 6 : 4
    assert.deepEqual([errorOf(how, 'tcp', family), errorOf(how, 'udp', family)], [tcp, udp], how)
  }
  assert.equal(refusalOf(packet, 'icmp-no-such'), undefined)
})
