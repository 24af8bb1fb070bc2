import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseInterface, type Machine, type Wish } from '#flannel/external-interface.ts'

const link = (index: number, name: string) => ({
  index,
  name,
  mtu: 1500,
  up: true,
  carrier: true,
  promiscuous: false,
  loopback: false,
})
const address = (link: number, ip: string, prefix: number, scope: 'global' | 'link' = 'global') => ({
  link,
  ip,
  prefix,
  scope,
  family: ip.includes(':') ? (6 as const) : (4 as const),
  tentative: false,
})
const gateway = (link: number, metric?: number) => ({
  family: 4 as const,
  destination: 'default',
  via: '10.168.0.1',
  link,
  table: 254,
  scope: 0,
  protocol: 3,
  type: 'unicast' as const,
  onlink: false,
  ...(metric !== undefined && { metric }),
})
const machine: Machine = {
  links: [link(1, 'lo'), link(2, 'eth0'), link(3, 'eth1')],
  addresses: [
    address(2, 'fe80::1', 64, 'link'),
    address(2, '10.168.0.2', 24),
    address(2, '10.169.0.2', 16),
    address(3, '192.168.5.2', 24),
    address(3, 'fd00::2', 64),
  ],
  routes: [gateway(3, 200), gateway(2, 100)],
}
const wish: Wish = { interfaces: [], patterns: [], publicIps: {}, families: [4] }
const chosen = (more: Partial<Wish>, of: Machine = machine) => {
  const found = chooseInterface(of, { ...wish, ...more })
  return typeof found === 'string'
    ? found
    : `${found.name} ${Object.values(found.byFamily)
        .map(({ ip }) => ip)
        .join()}`
}

test('external interface: that of the default route with the lowest metric, with what it reaches', () => {
  assert.deepEqual(chooseInterface(machine, wish), {
    name: 'eth0',
    index: 2,
    mtu: 1500,
    byFamily: { 4: { ip: '10.168.0.2', publicIp: '10.168.0.2', onLink: ['10.168.0.0/24', '10.169.0.0/16'] } },
  })
})

test('external interface: by name, address and pattern', () => {
  const cases: readonly (readonly [Partial<Wish>, string])[] = [
    [{ interfaces: ['eth1'] }, 'eth1 192.168.5.2'],
    [{ interfaces: ['eth9', 'eth1'] }, 'eth1 192.168.5.2'],
    [{ interfaces: ['10.169.0.2'] }, 'eth0 10.169.0.2'],
    [{ patterns: ['^192\\.168\\.'] }, 'eth1 192.168.5.2'],
    [{ patterns: ['th1$'], families: [4, 6] }, 'eth1 192.168.5.2,fd00::2'],
    [{ interfaces: ['eth1'], patterns: ['eth0'] }, 'eth1 192.168.5.2'],
    [{ interfaces: ['eth9'] }, 'no interface is eth9; there are lo, eth0, eth1'],
    [{ publicIps: { 4: '192.168.5.2' } }, 'eth1 192.168.5.2'],
    [{ publicIps: { 4: '10.169.0.2' } }, 'eth0 10.169.0.2'],
    [{ publicIps: { 4: '192.168.5.2' }, interfaces: ['eth0'] }, 'eth0 10.168.0.2'],
    [{ publicIps: { 4: '203.0.113.9' } }, 'eth0 10.168.0.2'],
    [{ families: [4, 6] }, 'interface eth0 has no IPv6 address'],
  ]
  for (const [more, want] of cases) assert.equal(chosen(more), want)
  assert.equal(chosen({ last: 'eth1' }), 'eth0 10.168.0.2')
  assert.equal(chosen({ last: 'eth1' }, { ...machine, routes: [] }), 'eth1 192.168.5.2')
  assert.match(chosen({}, { ...machine, routes: [] }), /choose one with --iface/)
  const found = chooseInterface(machine, { ...wish, publicIps: { 4: '203.0.113.9' } })
  assert.equal(typeof found === 'string' ? found : found.byFamily[4]?.publicIp, '203.0.113.9')
})
