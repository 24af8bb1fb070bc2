// What a Service may not take from its node, by tables.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ListeningSocket } from '#kernel/dump/sockets.ts'
import { type GuardedNode, guardOf } from '#proxy/plan/guard.ts'
import type { Front } from '#proxy/plan/plan.ts'
import type { Protocol } from '#proxy/state.ts'

const port: Front = { kind: 'node-port', port: 30080 }
const everywhere = { nodePortIps: 'all', localhostNodePorts: false } as const
const primary = { nodePortIps: ['10.168.0.2'], localhostNodePorts: false } as const

const cases: readonly (readonly [
  name: string,
  socket: Omit<ListeningSocket, 'families'> & { readonly families?: readonly (4 | 6)[] },
  node: Pick<GuardedNode, 'nodePortIps' | 'localhostNodePorts'>,
  taken: boolean,
  protocol?: Protocol,
])[] = [
  ['any address', { protocol: 'tcp', port: 30080 }, primary, true],
  ['another port', { protocol: 'tcp', port: 30081 }, primary, false],
  ['another protocol', { protocol: 'udp', port: 30080 }, primary, false],
  ['SCTP', { protocol: 'tcp', port: 30080 }, primary, false, 'sctp'],
  ['IPv6 only', { protocol: 'tcp', port: 30080, families: [6] }, primary, false],
  ['the address of NodePorts', { protocol: 'tcp', port: 30080, ip: '10.168.0.2' }, primary, true],
  ['another address', { protocol: 'tcp', port: 30080, ip: '192.0.2.1' }, primary, false],
  ['another address, NodePorts on all', { protocol: 'tcp', port: 30080, ip: '192.0.2.1' }, everywhere, true],
  ['loopback', { protocol: 'tcp', port: 30080, ip: '127.0.0.1' }, everywhere, false],
  [
    'loopback, where NodePorts answer on it',
    { protocol: 'tcp', port: 30080, ip: '127.0.0.1' },
    { ...everywhere, localhostNodePorts: true },
    true,
  ],
]

for (const [name, socket, node, taken, protocol = 'tcp'] of cases)
  test(`guard: listening on ${name}`, () => {
    const guard = guardOf(
      { ...node, family: 4, nodeIps: ['10.168.0.2'], peerIps: [], listening: () => [{ families: [4], ...socket }] },
      () => false,
    )
    assert.equal(guard(port, protocol, 80)?.why, taken ? 'listening' : undefined)
  })

test('guard: addresses of the node, and who came first', () => {
  const node: GuardedNode = {
    ...everywhere,
    family: 4,
    nodeIps: ['10.168.0.2', '192.0.2.9'],
    peerIps: ['10.168.0.3'],
    listening: () => assert.fail('nothing new'),
  }
  const guard = guardOf(node, () => true)
  for (const kind of ['external-ip', 'load-balancer'] as const) {
    assert.equal(guard({ kind, address: '192.0.2.9' }, 'tcp', 80)?.why, 'own-address')
    assert.equal(guard({ kind, address: '10.168.0.3' }, 'tcp', 80)?.why, 'peer-address')
    assert.equal(guard({ kind, address: '203.0.113.1' }, 'tcp', 80), undefined)
  }
  assert.equal(guard(port, 'tcp', 80), undefined)
})
