import * as assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { NetlinkError } from '#kernel/netlink/socket.ts'
import { createNetns, deleteNetns, withNetns } from '#kernel/netns.ts'
import { GROUP, openRoute } from '#kernel/route/open-route.ts'
import { need } from '#test/need.ts'

const skip = need({ root: true })
const skipWithIp = need({ root: true, programs: ['ip'] })

/** Two fresh namespaces. */
function pair(): { readonly a: string; readonly b: string } & Disposable {
  const [a, b] = ['a', 'b'].map((name) => `/run/netns/test-route-${process.pid}-${name}`) as [string, string]
  createNetns(a)
  createNetns(b)
  return {
    a,
    b,
    [Symbol.dispose]: () => {
      deleteNetns(a)
      deleteNetns(b)
    },
  }
}
const ip = (netns: string, ...words: string[]) =>
  withNetns(netns, () => execFileSync('ip', words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }))

test('a cable between two namespaces, addresses and routes of both families', { skip }, () => {
  using spaces = pair()
  using a = openRoute(spaces.a)
  using b = openRoute(spaces.b)
  a.addVeth({
    name: 'wire',
    mac: '0a:58:00:00:00:01',
    mtu: 1400,
    up: true,
    peer: { name: 'eth0', up: true },
    peerNetns: spaces.b,
  })
  const [wire, eth0] = [a.link('wire')!, b.link('eth0')!]
  assert.deepEqual(
    { ...wire, index: 0, peer: 0, peerNetnsId: 0 },
    {
      index: 0,
      name: 'wire',
      kind: 'veth',
      mac: '0a:58:00:00:00:01',
      mtu: 1400,
      up: true,
      carrier: true,
      promiscuous: false,
      loopback: false,
      peer: 0,
      peerNetnsId: 0,
    },
  )
  assert.deepEqual([wire.peer, eth0.peer], [eth0.index, wire.index])
  assert.equal(eth0.mtu, 1400)
  assert.equal(a.link('eth0'), undefined)

  a.addAddress({ link: 'wire', cidr: '10.1.0.1/24' })
  a.addAddress({ link: 'wire', cidr: '10.1.0.1/24' })
  a.addAddress({ link: 'wire', cidr: 'fd01::1/64' })
  assert.deepEqual(
    a.addresses({ link: 'wire' }).filter(({ scope }) => scope === 'global'),
    [
      { link: wire.index, family: 4, ip: '10.1.0.1', prefix: 24, label: 'wire', scope: 'global', tentative: false },
      { link: wire.index, family: 6, ip: 'fd01::1', prefix: 64, scope: 'global', tentative: false },
    ],
  )
  a.replaceRoute({ destination: 'default', via: '10.1.0.2' })
  a.replaceRoute({ destination: '10.2.0.0/16', via: '10.1.0.3', metric: 7 })
  a.replaceRoute({ destination: '10.2.0.0/16', via: '10.1.0.4', metric: 7 })
  a.replaceRoute({
    destination: '10.3.0.0/16',
    via: '172.16.0.1',
    link: 'wire',
    onlink: true,
    source: '10.1.0.1',
    mtu: 1300,
  })
  a.replaceRoute({ destination: 'fd02::/64', via: 'fd01::2' })
  a.replaceRoute({ destination: '10.4.0.0/16', type: 'blackhole', table: 1000 })
  const routes = a.routes().filter(({ protocol }) => protocol !== 2)
  assert.deepEqual(
    routes.map(({ destination, via, metric, source, mtu, onlink }) => ({
      destination,
      via,
      metric,
      source,
      mtu,
      onlink,
    })),
    [
      { destination: 'default', via: '10.1.0.2', metric: undefined, source: undefined, mtu: undefined, onlink: false },
      { destination: '10.2.0.0/16', via: '10.1.0.4', metric: 7, source: undefined, mtu: undefined, onlink: false },
      { destination: '10.3.0.0/16', via: '172.16.0.1', metric: undefined, source: '10.1.0.1', mtu: 1300, onlink: true },
      { destination: 'fd02::/64', via: 'fd01::2', metric: 1024, source: undefined, mtu: undefined, onlink: false },
    ],
  )
  assert.deepEqual(
    a.routes({ table: 1000 }).map(({ destination, type }) => [destination, type]),
    [['10.4.0.0/16', 'blackhole']],
  )
  assert.deepEqual(a.routes({ table: 1001 }), [])
  assert.equal(a.deleteRoute({ destination: '10.2.0.0/16', metric: 7 }), true)
  assert.equal(a.deleteRoute({ destination: '10.2.0.0/16', metric: 7 }), false)
  assert.equal(a.deleteAddress({ link: 'wire', cidr: 'fd01::1/64' }), true)
  assert.equal(a.deleteAddress({ link: 'wire', cidr: 'fd01::1/64' }), false)
  assert.equal(a.deleteLink('wire'), true)
  assert.equal(a.deleteLink('wire'), false)
  assert.equal(b.link('eth0'), undefined)
})

test('a bridge with a port, its flags, a move and a new name', { skip }, () => {
  using spaces = pair()
  using a = openRoute(spaces.a)
  using b = openRoute(spaces.b)
  a.addBridge({ name: 'cni0', mac: '0a:58:0a:f4:00:01', up: true, multicastSnooping: false })
  a.addVeth({ name: 'veth0', master: 'cni0', up: true, peer: 'tmp0' })
  const port = () => a.link('veth0')!.port
  assert.equal(a.link('veth0')!.master, a.link('cni0')!.index)
  assert.deepEqual(port(), { hairpin: false, learning: true, flood: true, isolated: false })
  a.setLink('veth0', { hairpin: true, learning: false })
  assert.deepEqual(port(), { hairpin: true, learning: false, flood: true, isolated: false })
  a.setLink('tmp0', { netns: spaces.b, name: 'eth0', mac: '0a:58:0a:f4:00:02', up: true })
  assert.equal(b.link('eth0')!.mac, '0a:58:0a:f4:00:02')
  assert.equal(b.link('eth0')!.up, true)
  a.setLink('cni0', { promiscuous: true })
  assert.equal(a.link('cni0')!.promiscuous, true)
  a.replaceForwarding({ link: 'veth0', mac: '0a:58:0a:f4:00:02', self: false })
  assert.ok(a.forwarding('veth0').some(({ mac, permanent }) => mac === '0a:58:0a:f4:00:02' && permanent))
  assert.equal(a.deleteForwarding({ link: 'veth0', mac: '0a:58:0a:f4:00:02', self: false }), true)
  a.setLink('veth0', { master: null, up: false })
  assert.equal(a.link('veth0')!.master, undefined)
  assert.equal(a.link('veth0')!.up, false)
})

test('a vxlan with a neighbour and a forwarding entry per peer', { skip }, () => {
  using spaces = pair()
  using a = openRoute(spaces.a)
  a.addVeth({ name: 'eth0', up: true, peer: 'p' })
  a.addVxlan({ name: 'flannel.1', id: 1, port: 8472, local: '10.168.0.2', device: 'eth0', up: true, mtu: 1450 })
  const link = a.link('flannel.1')!
  assert.deepEqual(link.vxlan, {
    id: 1,
    port: 8472,
    local: '10.168.0.2',
    device: a.link('eth0')!.index,
    learning: false,
  })
  const peer = { link: 'flannel.1', mac: '0e:00:00:00:00:02' }
  a.replaceNeighbour({ ...peer, ip: '10.244.1.0' })
  a.replaceForwarding({ ...peer, destination: '10.168.0.3' })
  assert.deepEqual(a.neighbours({ link: 'flannel.1', family: 4 }), [
    { family: 4, link: link.index, ip: '10.244.1.0', mac: peer.mac, permanent: true, state: 128 },
  ])
  assert.deepEqual(
    a.forwarding('flannel.1').filter(({ mac }) => mac === peer.mac),
    [{ link: link.index, mac: peer.mac, destination: '10.168.0.3', permanent: true, self: true }],
  )
  assert.equal(a.deleteForwarding({ ...peer, destination: '10.168.0.3' }), true)
  assert.equal(a.deleteForwarding({ ...peer, destination: '10.168.0.3' }), false)
  assert.equal(a.deleteNeighbour({ link: 'flannel.1', ip: '10.244.1.0' }), true)
  assert.equal(a.deleteNeighbour({ link: 'flannel.1', ip: '10.244.1.0' }), false)
})

test('policy rules', { skip }, () => {
  using spaces = pair()
  using a = openRoute(spaces.a)
  const rule = {
    family: 4,
    priority: 500,
    table: 1000,
    from: '10.1.0.0/16',
    mark: { value: 0x4000, mask: 0x4000 },
  } as const
  a.addRule(rule)
  a.addRule(rule)
  assert.deepEqual(
    a.rules(4).filter(({ priority }) => priority === 500),
    [rule],
  )
  assert.equal(a.deleteRule(rule), true)
  assert.equal(a.deleteRule(rule), false)
})

test('the kernel’s own explanation is kept', { skip }, () => {
  using spaces = pair()
  using a = openRoute(spaces.a)
  assert.throws(
    () => a.replaceRoute({ destination: '10.9.0.0/16', via: '10.1.0.1' }),
    (error) =>
      error instanceof NetlinkError &&
      error.code === 'ENETUNREACH' &&
      error.explanation === 'Nexthop has invalid gateway',
  )
  assert.throws(() => a.setLink('none', { up: true }), { code: 'ENODEV' })
  assert.throws(() => a.addBridge({ name: 'a-name-that-is-too-long' }), { code: 'ERANGE' })
  a.addBridge({ name: 'twice' })
  assert.throws(() => a.addBridge({ name: 'twice' }), { code: 'EEXIST' })
})

test('changes are heard, and losing some is said', { skip: skipWithIp }, async () => {
  using spaces = pair()
  using a = openRoute(spaces.a)
  const heard = Promise.withResolvers<string>()
  using _watch = a.watch(
    [GROUP.link],
    (message) => heard.resolve(`type ${message.type}`),
    () => undefined,
  )
  ip(spaces.a, 'link', 'add', 'br9', 'type', 'bridge')
  assert.equal(await heard.promise, 'type 16')

  const overrun = Promise.withResolvers<void>()
  let after = Promise.withResolvers<number>()
  let lost = false
  using _other = a.watch(
    [GROUP.route4],
    (message) => lost && after.resolve(message.type),
    () => {
      lost = true
      overrun.resolve()
    },
  )
  a.addVeth({ name: 'eth0', up: true, peer: { name: 'p', up: true } })
  a.addAddress({ link: 'eth0', cidr: '10.0.0.1/8' })
  // Nothing reads while this loop holds the thread, so the socket's buffer runs over.
  for (let i = 0; i < 15_000; i++) {
    a.replaceRoute({ destination: `10.${i >> 8}.${i & 255}.0/30`, link: 'eth0' })
  }
  await overrun.promise
  after = Promise.withResolvers<number>()
  a.deleteRoute({ destination: '10.0.0.0/30', link: 'eth0' })
  assert.equal(await after.promise, 25)
})

test('both programs see the same', { skip: skipWithIp }, () => {
  using spaces = pair()
  using a = openRoute(spaces.a)
  ip(spaces.a, 'link', 'add', 'br0', 'up', 'type', 'bridge')
  ip(spaces.a, 'addr', 'add', '10.5.0.1/24', 'dev', 'br0')
  ip(spaces.a, 'route', 'add', '10.6.0.0/24', 'via', '10.5.0.2', 'dev', 'br0', 'onlink')
  a.replaceRoute({ destination: '10.7.0.0/24', via: '10.5.0.3', link: 'br0' })
  assert.deepEqual(
    a.routes({ family: 4 }).map(({ destination, via }) => `${destination} ${via ?? ''}`),
    ['10.5.0.0/24 ', '10.6.0.0/24 10.5.0.2', '10.7.0.0/24 10.5.0.3'],
  )
  assert.match(ip(spaces.a, 'route'), /10\.7\.0\.0\/24 via 10\.5\.0\.3 dev br0/)
})
