// The appliance's rules with real packets: a client, the appliance, and two nodes that answer at a node port.
import * as assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { after, before, test } from 'node:test'
import { ownAddresses, writeRoutes } from '#balancer/appliance/data-plane.ts'
import type { Route } from '#balancer/appliance/rules.ts'
import { parseRange } from '#balancer/pool/address-pool.ts'
import { writeSysctls } from '#kernel/sysctl.ts'
import { createTopology, type Topology } from '#test/topology.ts'
import { until } from '#test/until.ts'

const pool = { text: 'p', ranges: [parseRange('10.9.0.200-10.9.0.239')!, parseRange('fd00:9::200-fd00:9::239')!] }
const nodeIps = { a: ['10.9.0.3', 'fd00:9::3'], b: ['10.9.0.4', 'fd00:9::4'] } as const
const front = { 4: '10.9.0.200', 6: 'fd00:9::200' } as const
let net: Topology<'hub' | 'client' | 'appliance' | 'a' | 'b'>

before(async () => {
  net = await createTopology(['hub', 'client', 'appliance', 'a', 'b'], (places) => {
    places.hub.route.addBridge({ name: 'lan', up: true, multicastSnooping: false })
    for (const [i, name] of (['client', 'appliance', 'a', 'b'] as const).entries()) {
      const peer = { name: 'eth0', up: true }
      places.hub.route.addVeth({ name: `to-${name}`, up: true, peer, peerNetns: places[name].netns })
      places.hub.route.setLink(`to-${name}`, { master: 'lan' })
      places[name].route.addAddress({ link: 'eth0', cidr: `10.9.0.${i + 1}/24` })
      places[name].route.addAddress({ link: 'eth0', cidr: `fd00:9::${i + 1}/64` })
    }
  })
  writeSysctls({ 'net/ipv4/ip_forward': 1, 'net/ipv6/conf/all/forwarding': 1 }, net.appliance.netns)
  await net.a.serve(30080, 30053)
  await net.b.serve(30080, 30053)
})
after(() => net[Symbol.asyncDispose]())

const route = (family: 4 | 6, names: readonly ('a' | 'b')[], protocol: 'TCP' | 'UDP' = 'TCP'): Route => ({
  service: 'default/s',
  ip: front[family],
  protocol,
  port: protocol === 'TCP' ? 80 : 53,
  nodePort: protocol === 'TCP' ? 30080 : 30053,
  nodes: names.map((name) => nodeIps[name][family === 4 ? 0 : 1]),
})
function write(routes: readonly Route[]): void {
  writeRoutes(routes, net.appliance.netns)
  ownAddresses('eth0', new Set(routes.map(({ ip }) => ip)), pool, net.appliance.netns)
}
const reached = async (host: string, port: number, protocol: 'tcp' | 'udp' = 'tcp', times = 80) =>
  Object.keys(await net.client.connect({ host, port, protocol, times }))
    .map((key) => key.split(' ')[0])
    .filter((name, i, all) => all.indexOf(name) === i)
    .sort()

for (const family of [4, 6] as const)
  test(`IPv${family}: new connections go to all nodes that are in, and only to them`, async () => {
    write([route(family, ['a', 'b']), route(family, ['a', 'b'], 'UDP')])
    // An address of IPv6 becomes this machine's a moment after it was added.
    for (let i = 0; i < 30 && (await reached(front[family], 80, 'tcp', 1))[0] === 'timeout'; i++);
    // That one of two is not met in 80 tries has a chance of 2^-79.
    assert.deepEqual(await reached(front[family], 80), ['a', 'b'])
    assert.deepEqual(await reached(front[family], 53, 'udp'), ['a', 'b'])
    write([route(family, ['b'])])
    assert.deepEqual(await reached(front[family], 80, 'tcp', 20), ['b'])
    write([route(family, [])])
    assert.deepEqual(await reached(front[family], 80, 'tcp', 1), ['ECONNREFUSED'])
  })

for (const family of [4, 6] as const)
  test(`IPv${family}: only clients of the ranges come in`, async () => {
    const sources = (...ranges: readonly string[]) => write([{ ...route(family, ['a']), sources: ranges }])
    const client = family === 4 ? '10.9.0.1' : 'fd00:9::1'
    const own = family === 4 ? '10.9.0.0/30' : 'fd00:9::/126'
    const other = family === 4 ? '10.9.0.4/30' : 'fd00:9::4/126'
    sources(other, own)
    await until(async () => assert.deepEqual(await reached(front[family], 80, 'tcp', 3), ['a']))
    sources(other)
    assert.deepEqual(await reached(front[family], 80, 'tcp', 1), ['timeout'])
    sources(`${client}/${family === 4 ? 32 : 128}`)
    assert.deepEqual(await reached(front[family], 80, 'tcp', 3), ['a'])
  })

test('what is written twice is the same; what nobody wants any more leaves nothing', () => {
  const shown = () =>
    spawnSync('nsenter', [`--net=${net.appliance.netns}`, 'nft', '-n', 'list', 'ruleset'], { encoding: 'utf8' }).stdout
  const routes = [route(4, ['a', 'b']), route(6, ['a'])]
  write(routes)
  const before = shown()
  assert.match(before, /comment "default\/s"/)
  write(routes)
  assert.equal(shown(), before)
  write([])
  assert.doesNotMatch(shown(), /dnat/)
  const own = net.appliance.route.addresses({ link: 'eth0' }).map(({ ip }) => ip)
  assert.deepEqual(
    own.filter((ip) => ip.includes('200')),
    [],
  )
  assert.ok(own.includes('10.9.0.2'))
})
